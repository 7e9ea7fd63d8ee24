#pragma once

#include "node/gateway/long_poll.h"
#include "node/gateway/poll_answer.h"
#include "node/gateway/poll_request.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace chatx::node {

/// A request to the long-poll transport from its head to its answer: gathers the body, then waits
/// for the session. Owned by its connection, which may let it go at any time: then nobody waits any
/// more. Lives on the shard's loop; without I/O.
class PollExchange final : private PollAsker {
public:
    /// True when the client gets the answer, as PollAsker has it. May end the exchange.
    using OnAnswer = std::function<bool(const PollAnswer&)>;

    /// `polls` outlives the exchange.
    PollExchange(LongPoll& polls, PollRequest request, OnAnswer on_answer);
    PollExchange(const PollExchange&) = delete;
    PollExchange& operator=(const PollExchange&) = delete;
    ~PollExchange() override;

    [[nodiscard]] const PollRequest& request() const { return request_; }

    /// Takes what belongs to the body from the beginning of `bytes`; returns how much that was.
    std::size_t take(std::string_view bytes);

    /// The body is there.
    [[nodiscard]] bool whole() const { return body_.size() == request_.body_bytes; }

    /// Hands the request to its session, wherever that is. Once.
    void ask();

private:
    bool on_poll_answer(const PollAnswer& answer) override;

    LongPoll& polls_;
    PollRequest request_;
    OnAnswer on_answer_;
    std::string body_;
    std::uint64_t number_ = 0;  // While it waits.
};

}  // namespace chatx::node
