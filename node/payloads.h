#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>

#include "engine/actions.h"
#include "node/messages.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

/// What clients see of the engine: payloads of the Phoenix protocol, as JSON.
namespace chatx::node {

/// Most bytes of messages in one join reply or history page; a page that is larger is cut and says
/// `more`.
inline constexpr std::size_t page_bytes_max = 256 * 1024;

std::string topic_of(const RoomId& room);

/// A room's event as one V2 WebSocket frame, ready to send to every subscriber.
std::string broadcast_frame(const RoomId& room, const decltype(RoomEvent::event)& event);

/// `{"id","epoch","seq","inserted_at"}`
std::string to_json(const engine::SendReply& reply);

/// `{"messages","recovered","more","epoch","seq","node","owner"}`
std::string to_json(const engine::JoinReply& reply, std::string_view node);

/// `{"messages","more"}`. A page that is too large loses its newest messages when read oldest
/// first, else its oldest.
std::string to_json(const HistoryPage& page, bool oldest_first);

/// `{"reason","retry_after_ms"?}`
std::string to_json(const Error& error);

/// The payload of `presence_state`.
std::string to_json(const engine::PresenceMap& presence);

/// The payload of `presence_diff`.
std::string to_json(const engine::PresenceDiff& diff);

/// One message as an object, as broadcast.
std::string to_json(const Message& message);

}  // namespace chatx::node
