#pragma once

#include "tools/chatxctl/client.h"
#include "tools/chatxctl/output.h"
#include "tools/chatxctl/room_commands.h"

#include <string>
#include <vector>

/// What chatxctl asks a node about itself and about the messages it could not deliver.
namespace chatx::tools {

ExitCode node_info(const Client& client, const Output& out);

/// The configuration that the node runs with, each key with its origin.
ExitCode config_show(const Client& client, const Output& out);

ExitCode dead_letter_list(const Client& client, const Output& out, const PageOptions& options);

/// Delivers dead letters again, all of them where `ids` is empty, and tells how it went.
ExitCode dead_letter_replay(
    const Client& client, const Output& out, const std::vector<std::string>& ids);

}  // namespace chatx::tools
