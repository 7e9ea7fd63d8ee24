#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include <memory>
#include <optional>
#include <string>

namespace chatx {

/// One message of a room, as stored and as delivered.
struct Message {
    MessageId id;
    RoomId room;
    UserId user;
    std::string content;   // UTF-8, at most `message_size_limit` bytes.
    WallTime inserted_at;  // The owner's clock; never goes back inside a room.
    Epoch epoch;
    Seq seq;
    std::string client_id;  // Empty when the sender gave none. At most `client_id_size_max` bytes.
    std::optional<MessageId> reply_to;  // The message this one answers.

    bool operator==(const Message&) const = default;
};

/// Longest `client_id` a send may carry, in bytes.
inline constexpr std::size_t client_id_size_max = 128;

/// A message that several loops read. Immutable once made.
using MessagePtr = std::shared_ptr<const Message>;

}  // namespace chatx
