#pragma once

#include "node/config_assignment.h"

#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// Takes a configuration file apart: an assignment for each key in it, in order of line, known or
/// not. False when the text is no TOML; then `problems` says where and why.
bool read_toml(
    const std::string& path,
    std::string_view text,
    std::vector<ConfigAssignment>& assignments,
    ConfigProblems& problems);

}  // namespace chatx::node
