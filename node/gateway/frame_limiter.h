#pragma once

#include <chatx/time.h>

#include "engine/token_bucket.h"
#include "node/net/shared_token_bucket.h"
#include "node/refusals.h"

#include <cstddef>
#include <optional>

namespace chatx::node {

/// How much one client may say: a token bucket for each kind of frame, one that all clients of its
/// address share, and a count of strikes: a refusal is one, a frame that passes forgives one, and a
/// client that collects too many is to be cut off. Lives on the shard's loop; without I/O.
class FrameLimiter {
public:
    struct Options {
        engine::TokenRate frames{{.tokens_per_sec = 100, .burst = 200}};  // Heartbeats apart.
        engine::TokenRate joins{{.tokens_per_sec = 50, .burst = 200}};    // Among them.
        engine::TokenRate typing{{.tokens_per_sec = 2, .burst = 5}};      // Among them.
        engine::TokenRate signals{{.tokens_per_sec = 10, .burst = 20}};   // Among them.

        /// What shows that a client lives and asks for nothing: heartbeats of the Phoenix protocol;
        /// pings, pongs and empty fragments of the WebSocket protocol.
        engine::TokenRate heartbeats{{.tokens_per_sec = 10, .burst = 50}};

        std::size_t strikes_max = 1000;  // With one more the client is cut off.
    };

    struct Refused {
        FrameLimit limit;
        Duration retry_after;
    };

    using Outcome = std::optional<Refused>;  // Nothing: let it pass.

    /// `address` is the bucket of the client's address, if it has one. Both outlive the limiter.
    FrameLimiter(const Options& options, SharedTokenBucket* address)
        : options_(options), address_(address) {}

    /// Any frame of the Phoenix protocol that is no heartbeat. A refusal is a strike.
    [[nodiscard]] Outcome take_frame(TimePoint now);

    /// A heartbeat or its like. A refusal is a strike.
    [[nodiscard]] Outcome take_heartbeat(TimePoint now);

    /// What the frame asks for costs more than a frame: a join may open a room, typing and signals
    /// go to everybody in one.
    [[nodiscard]] Outcome take_join(TimePoint now);
    [[nodiscard]] Outcome take_typing(TimePoint now);
    [[nodiscard]] Outcome take_signal(TimePoint now);

    /// Refusals that are not forgiven yet.
    [[nodiscard]] std::size_t strikes() const { return strikes_; }

    /// More strikes than a client may have.
    [[nodiscard]] bool struck_out() const { return strikes_ > options_.strikes_max; }

private:
    Outcome struck(Outcome outcome);

    const Options& options_;
    SharedTokenBucket* address_;
    engine::TokenBucket frames_;
    engine::TokenBucket joins_;
    engine::TokenBucket typing_;
    engine::TokenBucket signals_;
    engine::TokenBucket heartbeats_;
    std::size_t strikes_ = 0;
};

}  // namespace chatx::node
