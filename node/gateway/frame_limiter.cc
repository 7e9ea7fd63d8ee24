#include "node/gateway/frame_limiter.h"

namespace chatx::node {

namespace {

FrameLimiter::Outcome outcome_of(FrameLimit limit, std::optional<Duration> wait) {
    if (!wait) return std::nullopt;
    return FrameLimiter::Refused{limit, *wait};
}

}  // namespace

FrameLimiter::Outcome FrameLimiter::take_frame(TimePoint now) {
    auto outcome = outcome_of(FrameLimit::frames_per_sec, frames_.take(options_.frames, now));
    if (!outcome && address_ != nullptr)
        outcome = outcome_of(FrameLimit::frames_per_sec_per_ip, address_->take(now));
    return struck(outcome);
}

FrameLimiter::Outcome FrameLimiter::take_heartbeat(TimePoint now) {
    return struck(
        outcome_of(FrameLimit::heartbeats_per_sec, heartbeats_.take(options_.heartbeats, now)));
}

FrameLimiter::Outcome FrameLimiter::take_join(TimePoint now) {
    return outcome_of(FrameLimit::joins_per_sec, joins_.take(options_.joins, now));
}

FrameLimiter::Outcome FrameLimiter::take_typing(TimePoint now) {
    return outcome_of(FrameLimit::typing_per_sec, typing_.take(options_.typing, now));
}

FrameLimiter::Outcome FrameLimiter::take_signal(TimePoint now) {
    return outcome_of(FrameLimit::signals_per_sec, signals_.take(options_.signals, now));
}

// What passes forgives one strike and not all of them: some frames of every flood pass.
FrameLimiter::Outcome FrameLimiter::struck(Outcome outcome) {
    if (outcome) {
        ++strikes_;
    } else if (strikes_ > 0) {
        --strikes_;
    }
    return outcome;
}

}  // namespace chatx::node
