#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace chatx::node {

/// The outcome of a long-poll request, as Phoenix has it in the `status` of the body. The values
/// are a closed set: clients stop with an error at any other.
enum class PollStatus : std::uint16_t {
    ok = 200,         // To a poll: here are frames. To a post: taken.
    nothing = 204,    // Nothing was said for the length of a window.
    forbidden = 403,  // There will be no session for this client.
    not_taken = 408,  // What was posted ended the session.
    gone = 410,       // There is no such session (any more); a new one, when a token comes along.
};

/// What a request to the long-poll transport is answered with.
struct PollAnswer {
    PollStatus status = PollStatus::gone;
    std::vector<std::string> frames;
    bool known = true;  // False: the token names no session, and its client may get a new one.
};

/// A request that waits for its answer: the shard whose connection asks, and its number there.
struct PollTicket {
    std::uint16_t shard = 0;
    std::uint64_t number = 0;
    bool operator==(const PollTicket&) const = default;
};

/// An answer on its way from a session to who asks.
struct PollReply {
    PollTicket to;
    PollAnswer answer;
};

}  // namespace chatx::node
