#pragma once

#include "tools/chatxctl/output.h"

#include <string>
#include <vector>

namespace chatx::tools {

/// Becomes the `chatx-bench` that was installed beside this program, with these arguments. Returns
/// only when there is none.
ExitCode bench(const Output& out, const std::vector<std::string>& arguments);

}  // namespace chatx::tools
