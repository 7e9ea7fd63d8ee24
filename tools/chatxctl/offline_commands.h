#pragma once

#include "tools/chatxctl/output.h"

#include <string>

/// What chatxctl does without a node.
namespace chatx::tools {

/// Checks a configuration as `chatxd --config FILE --check` would here, the environment included;
/// without a file, that of the environment alone.
ExitCode config_check(const Output& out, const std::string& file);

/// Explains a reason that clients are refused with, or all of them.
ExitCode errors(const Output& out, const std::string& reason);

}  // namespace chatx::tools
