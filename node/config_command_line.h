#pragma once

#include "node/config_assignment.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace chatx::node {

/// What the arguments of chatxd say.
struct CommandLine {
    std::string config_path;  // Empty: no file.
    bool check = false;
    bool print_config = false;
    bool version = false;
    bool help = false;
    std::vector<ConfigAssignment>
        assignments;  // Those of `--set` first, so that a flag of its own wins.

    std::string help_text;
    std::string usage_error;  // Empty, or why the arguments make no sense. One line.
};

/// Takes the arguments apart, without the program's name. Values are not looked at.
[[nodiscard]] CommandLine read_command_line(std::span<const std::string> arguments);

}  // namespace chatx::node
