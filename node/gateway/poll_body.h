#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::node {

/// Frames of one request that are taken; further ones are dropped, as in Phoenix.
inline constexpr std::size_t poll_frames_max = 100;

/// A message as a WebSocket would have brought it.
struct PollMessage {
    std::string bytes;
    bool binary = false;
    bool operator==(const PollMessage&) const = default;
};

/// The body is none of those that are understood; what it says ends the session.
struct PollBodyRefused {
    std::string_view why;  // A static text.
};

/// What a client posts to its long-poll session. As `application/x-ndjson`: a message on each line,
/// a text frame when it begins with `[`, else the base64 of a binary one; empty lines say nothing.
/// As anything else the whole body is one text frame. A body is bounded by whoever read it.
std::variant<std::vector<PollMessage>, PollBodyRefused> read_poll_body(
    std::string_view content_type, std::string_view body);

}  // namespace chatx::node
