#pragma once

#include "node/config_assignment.h"

#include <string>

/// What holds between several keys.
namespace chatx::node {

/// Fills in the defaults that depend on other keys and on the host: `name`, `persistence`, `ack`,
/// `admin_socket`.
void complete(LoadedConfig& loaded, const ConfigInput& input);

/// Finds keys that are good by themselves and make no sense together, or that this build cannot do.
/// Rules about keys that already have a problem are left out.
void check_rules(const LoadedConfig& loaded, const ConfigInput& input, ConfigProblems& problems);

/// What this configuration opens to whom and what it keeps: some lines for `--check`.
[[nodiscard]] std::string describe(const Config& config);

}  // namespace chatx::node
