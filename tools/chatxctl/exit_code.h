#pragma once

namespace chatx::tools {

/// What chatxctl ends with.
enum class ExitCode : int {
    ok = 0,
    failed = 1,
    usage = 2,
    unreachable = 3,
    not_allowed = 4,
    not_found = 5,
    partial = 6,  // Or timed out.
    conflict = 7,
    problems_found = 8,
    unhealthy = 9,
};

}  // namespace chatx::tools
