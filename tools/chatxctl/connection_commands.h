#pragma once

#include "tools/chatxctl/client.h"
#include "tools/chatxctl/output.h"
#include "tools/chatxctl/room_commands.h"

#include <string>

/// `chatxctl conn ...`: the connections of clients.
namespace chatx::tools {

/// In the order of their ids; `slow`: those with the most bytes to read first, and no further page.
ExitCode connection_list(
    const Client& client, const Output& out, const PageOptions& options, bool slow);
ExitCode connection_info(const Client& client, const Output& out, const std::string& id);

/// Closes it with 1001; released clients come back.
ExitCode connection_close(const Client& client, const Output& out, const std::string& id);

}  // namespace chatx::tools
