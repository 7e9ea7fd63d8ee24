#pragma once

#include <chatx/message.h>
#include <chatx/result.h>

#include "engine/actions.h"
#include "proto/json.h"

#include <cstddef>
#include <optional>
#include <string>

/// What clients say in the payloads of their frames, read from JSON. Members that are null are as
/// good as missing; unknown ones are ignored. The other direction is node/payloads.h.
namespace chatx::node {

/// The parameters of a join: `last_seen_id`, or `since` with `epoch` and `seq`, and `history`. What
/// cannot be read is a point that nobody knows, for a join is never refused over it.
engine::Resume to_resume(const proto::json::Value& payload);

/// The payload of `history`: `after_id`, `after`, `before` and `limit`. `invalid_content` for a
/// place that is no place.
Result<HistoryRange> to_range(const proto::json::Value& payload);

/// The payload of `new_message`.
struct MessagePayload {
    std::string content;
    std::string client_id;             // Empty when there is none.
    std::optional<MessageId> answers;  // `reply_to` on the wire.
};

/// Reads it. Refuses what the room would refuse too, with its reasons, for that costs no place in
/// a queue; and half of a surrogate pair, since what stands in its place would make two different
/// texts the same.
Result<MessagePayload> to_message(const proto::json::Value& payload, std::size_t content_size_max);

}  // namespace chatx::node
