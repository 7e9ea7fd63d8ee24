#pragma once

#include "proto/phoenix.h"

#include <string>
#include <string_view>
#include <variant>

/// The binary frames of Phoenix Channels, version 2: what clients send with an `ArrayBuffer` as its
/// payload. A kind byte, one length byte for each name, the names, and the payload up to the end of
/// the message.
namespace chatx::proto::phoenix {

/// What a client said in a binary frame.
struct BinaryPush {
    Ref join_ref;  // An empty one counts as null.
    Ref ref;       // The same.
    std::string topic;
    std::string event;         // 1 to `name_size_max` bytes without control characters.
    std::string_view payload;  // Points into the message.
};

/// Reads one binary message of a client.
[[nodiscard]] std::variant<BinaryPush, Malformed> decode_binary(std::string_view message);

/// The answer to a frame whose refs are plain texts.
struct BinaryReply {
    std::string_view join_ref;  // As `Ref::plain_text` gives it; empty for null.
    std::string_view ref;
    std::string_view topic;
    Status status = Status::ok;
    std::string_view payload;
};

/// Appends it. Asserts that no name is longer than `name_size_max`.
void append_binary_reply(std::string& out, const BinaryReply& reply);

/// Something for all members.
struct BinaryBroadcast {
    std::string_view topic;
    std::string_view event;
    std::string_view payload;
};

/// Appends it. Asserts that no name is longer than `name_size_max`.
void append_binary_broadcast(std::string& out, const BinaryBroadcast& broadcast);

}  // namespace chatx::proto::phoenix
