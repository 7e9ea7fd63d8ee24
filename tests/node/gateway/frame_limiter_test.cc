#include "node/gateway/frame_limiter.h"

#include "tests/support/rates.h"

#include <doctest/doctest.h>

#include <chrono>

namespace chatx::test {

namespace {

using namespace std::chrono_literals;
using node::FrameLimit;
using node::FrameLimiter;
using node::SharedTokenBucket;

constexpr TimePoint start = TimePoint(1h);

engine::TokenRate rate(double per_sec, double burst) {
    return engine::TokenRate({.tokens_per_sec = per_sec, .burst = burst});
}

/// The limit that a call was beyond; `passed` when it was beyond none.
constexpr auto passed = static_cast<FrameLimit>(255);

FrameLimit limit_of(const FrameLimiter::Outcome& outcome) {
    return outcome ? outcome->limit : passed;
}

}  // namespace

TEST_CASE("each kind of frame has a bucket of its own") {
    auto options = no_limits();
    options.frames = options.joins = options.typing = options.heartbeats = rate(10, 1);
    FrameLimiter limiter(options, nullptr);
    CHECK(limit_of(limiter.take_frame(start)) == passed);
    CHECK(limit_of(limiter.take_join(start)) == passed);
    CHECK(limit_of(limiter.take_typing(start)) == passed);
    CHECK(limit_of(limiter.take_heartbeat(start)) == passed);
    CHECK(limit_of(limiter.take_frame(start)) == FrameLimit::frames_per_sec);
    CHECK(limit_of(limiter.take_join(start)) == FrameLimit::joins_per_sec);
    CHECK(limit_of(limiter.take_typing(start)) == FrameLimit::typing_per_sec);
    CHECK(limit_of(limiter.take_heartbeat(start)) == FrameLimit::heartbeats_per_sec);
    CHECK(limiter.take_frame(start + 40ms)->retry_after == 60ms);
    CHECK(limit_of(limiter.take_frame(start + 100ms)) == passed);
}

TEST_CASE("the clients of one address take from one bucket, a client without one from none") {
    const auto options = no_limits();
    const engine::TokenRate shared = rate(10, 3);
    SharedTokenBucket address(shared);
    FrameLimiter first(options, &address);
    FrameLimiter second(options, &address);
    FrameLimiter local(options, nullptr);
    CHECK(limit_of(first.take_frame(start)) == passed);
    CHECK(limit_of(second.take_frame(start)) == passed);
    CHECK(limit_of(first.take_frame(start)) == passed);
    CHECK(limit_of(first.take_frame(start)) == FrameLimit::frames_per_sec_per_ip);
    CHECK(second.take_frame(start)->retry_after == 100ms);
    CHECK(limit_of(first.take_heartbeat(start)) == passed);
    CHECK(limit_of(local.take_frame(start)) == passed);
}

TEST_CASE("a frame beyond the client's own rate takes nothing from its address") {
    auto options = no_limits();
    options.frames = rate(10, 1);
    const engine::TokenRate shared = rate(10, 2);
    SharedTokenBucket address(shared);
    FrameLimiter greedy(options, &address);
    FrameLimiter modest(options, &address);
    for (int i = 0; i < 100; ++i)
        (void)greedy.take_frame(start);
    CHECK(limit_of(modest.take_frame(start)) == passed);
}

TEST_CASE("each refusal is a strike, each frame that passes forgives one") {
    auto options = no_limits();
    options.frames = options.heartbeats = rate(10, 1);
    options.strikes_max = 3;
    FrameLimiter limiter(options, nullptr);
    (void)limiter.take_frame(start);
    (void)limiter.take_heartbeat(start);
    (void)limiter.take_frame(start);
    (void)limiter.take_heartbeat(start);
    (void)limiter.take_frame(start);
    CHECK_FALSE(limiter.struck_out());
    CHECK(limit_of(limiter.take_heartbeat(start + 100ms)) == passed);
    (void)limiter.take_frame(start);
    CHECK_FALSE(limiter.struck_out());
    (void)limiter.take_frame(start);
    CHECK(limiter.struck_out());
}

TEST_CASE("a client at twice its rate stays, one at a hundred times its rate is soon cut off") {
    const FrameLimiter::Options options;
    const auto cut_off_after = [&](Duration pause) {
        FrameLimiter limiter(options, nullptr);
        for (TimePoint now = start; now < start + 30s; now += pause) {
            (void)limiter.take_frame(now);
            if (limiter.struck_out()) return now - start;
        }
        return Duration(0);
    };
    CHECK(cut_off_after(5ms) == 0ms);
    CHECK(cut_off_after(100us) > 0ms);
    CHECK(cut_off_after(100us) < 200ms);
}

TEST_CASE("joins and typing beyond their rate are no strikes: the frames themselves were counted") {
    auto options = no_limits();
    options.joins = options.typing = rate(1, 1);
    options.strikes_max = 0;
    FrameLimiter limiter(options, nullptr);
    for (int i = 0; i < 10; ++i) {
        (void)limiter.take_join(start);
        (void)limiter.take_typing(start);
    }
    CHECK_FALSE(limiter.struck_out());
}

}  // namespace chatx::test
