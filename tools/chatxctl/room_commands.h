#pragma once

#include "tools/chatxctl/client.h"
#include "tools/chatxctl/output.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

/// `chatxctl room ...`: each asks the node, prints what it says and returns what to end with.
namespace chatx::tools {

/// Which part of a list to print.
struct PageOptions {
    std::string after;
    std::size_t limit = 100;
};

struct HistoryOptions {
    std::string room;
    std::optional<std::uint64_t> after;
    std::optional<std::uint64_t> before;
    std::size_t limit = 50;
};

struct TailOptions {
    std::string room;
    std::size_t messages = 10;
    bool follow = false;
};

struct SendOptions {
    std::string room;
    std::string content;
    std::string user;
    std::string client_id;
};

ExitCode room_list(const Client& client, const Output& out, const PageOptions& options);
ExitCode room_info(const Client& client, const Output& out, const std::string& room);
ExitCode room_where(const Client& client, const Output& out, const std::string& room);
ExitCode room_members(
    const Client& client, const Output& out, const std::string& room, const PageOptions& options);
ExitCode room_history(const Client& client, const Output& out, const HistoryOptions& options);
ExitCode room_tail(const Client& client, const Output& out, const TailOptions& options);

/// Ends every membership of a room, so that clients join again, and lets it be opened anew.
ExitCode room_reset(const Client& client, const Output& out, const std::string& room);
ExitCode room_send(const Client& client, const Output& out, const SendOptions& options);

}  // namespace chatx::tools
