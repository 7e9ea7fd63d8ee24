#pragma once

#include "engine/token_bucket.h"
#include "node/gateway/frame_limiter.h"

namespace chatx::test {

inline const engine::TokenRate no_limit({.tokens_per_sec = 0});

/// For clients that may say as much as they like.
inline node::FrameLimiter::Options no_limits() {
    return {
        .frames = no_limit,
        .joins = no_limit,
        .typing = no_limit,
        .signals = no_limit,
        .heartbeats = no_limit,
        .strikes_max = 1000};
}

}  // namespace chatx::test
