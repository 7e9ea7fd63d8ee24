#pragma once

#include <cstdint>
#include <optional>

namespace chatx::node {

/// What the kernel says of this process.
struct ProcessStats {
    std::uint64_t resident_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t fds_max = 0;
    std::uint64_t cpu_ms = 0;  // User and system, all threads.

    bool operator==(const ProcessStats&) const = default;
};

/// Reads /proc, which never waits for a disk. None where there is no such thing.
[[nodiscard]] std::optional<ProcessStats> read_process_stats();

}  // namespace chatx::node
