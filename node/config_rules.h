#pragma once

#include "node/config_assignment.h"

#include <cstddef>
#include <string>

/// What holds between several keys.
namespace chatx::node {

/// Most bytes of a frame beside the content of its message: refs, topic, names and ids, all of
/// which have bounds.
inline constexpr std::size_t frame_envelope_bytes_max = 4096;

/// Most bytes of a frame that carries one message with so many bytes of content, in either
/// direction: JSON may need six bytes for one.
constexpr std::size_t frame_bytes_max(std::size_t content_bytes) {
    return 6 * content_bytes + frame_envelope_bytes_max;
}

/// Fills in the defaults that depend on other keys and on the host: `name`, `persistence`, `ack`,
/// `admin_socket`.
void complete(LoadedConfig& loaded, const ConfigInput& input);

/// Finds keys that are good by themselves and make no sense together, or that this build cannot do.
/// Rules about keys that already have a problem are left out.
void check_rules(const LoadedConfig& loaded, const ConfigInput& input, ConfigProblems& problems);

/// What this configuration opens to whom and what it keeps: some lines for `--check`.
[[nodiscard]] std::string describe(const Config& config);

}  // namespace chatx::node
