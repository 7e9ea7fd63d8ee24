#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>

#include "engine/actions.h"
#include "node/framed.h"
#include "node/messages.h"
#include "proto/phoenix.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

/// What clients see of the engine: payloads of the Phoenix protocol, as JSON.
namespace chatx::node {

/// Most bytes of messages in one join reply or history page; a page that is larger is cut and says
/// `more`.
inline constexpr std::size_t page_bytes_max = std::size_t{256} * 1024;

/// How many are visibly in a room that is too large for a list.
inline constexpr std::string_view occupancy_event = "occupancy";

std::string topic_of(const RoomId& room);

/// A room's event, ready to send to every subscriber who speaks this version. A signal is binary,
/// whatever the version: only V2 has it.
Framed broadcast_frame(
    const RoomId& room, const engine::RoomNews& event, proto::phoenix::Version version);

/// `{"id","epoch","seq","inserted_at"}`
std::string to_json(const engine::SendReply& reply);

/// `{"messages","recovered","more","epoch","seq","node","owner"}`
/// With at most `page_bytes` of messages; none at all where they are few.
std::string to_json(
    const engine::JoinReply& reply, std::string_view node, std::size_t page_bytes = page_bytes_max);

/// `{"messages","more"}`. A page that is too large loses its newest messages when read oldest
/// first, else its oldest.
std::string to_json(const HistoryPage& page, bool oldest_first);

/// `{"reason","retry_after_ms"?}`
std::string to_json(const Error& error);

/// The payload of `presence_state`.
std::string to_json(const engine::PresenceMap& presence);

/// The payload of `occupancy`.
std::string to_json(const engine::Occupancy& occupancy);

/// The payload of `presence_diff`.
std::string to_json(const engine::PresenceDiff& diff);

/// One message as an object, as broadcast.
std::string to_json(const Message& message);

}  // namespace chatx::node
