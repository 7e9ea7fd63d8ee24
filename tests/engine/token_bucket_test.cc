#include "engine/token_bucket.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint start = TimePoint(1h);

int granted(TokenBucket& bucket, const TokenRate& rate, TimePoint now, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i)
        count += bucket.take(rate, now) ? 0 : 1;
    return count;
}

/// When a token was there for somebody who asks, pauses and asks again.
std::vector<TimePoint> taken_with(
    const TokenRate& rate, const std::vector<std::uint16_t>& pauses_ms) {
    TokenBucket bucket;
    std::vector<TimePoint> taken;
    TimePoint now = start;
    for (const std::uint16_t pause : pauses_ms) {
        now += std::chrono::milliseconds(pause % 128);
        if (!bucket.take(rate, now)) taken.push_back(now);
    }
    return taken;
}

/// In no stretch of time lie more than a burst and what the rate gives in it.
bool conform(const std::vector<TimePoint>& taken, const TokenRate& rate, std::int64_t burst) {
    for (std::size_t first = 0; first < taken.size(); ++first) {
        for (std::size_t last = first; last < taken.size(); ++last) {
            const auto count = static_cast<std::int64_t>(last - first + 1);
            if ((count - burst) * rate.interval() > taken[last] - taken[first]) return false;
        }
    }
    return true;
}

}  // namespace

TEST_CASE("a new bucket gives its burst at once, then its rate") {
    const TokenRate rate({.tokens_per_sec = 10, .burst = 5});
    TokenBucket bucket;
    CHECK(granted(bucket, rate, start, 7) == 5);
    CHECK(bucket.take(rate, start + 40ms) == 60ms);
    CHECK(granted(bucket, rate, start + 100ms, 7) == 1);
    CHECK(granted(bucket, rate, start + 1h, 7) == 5);
}

TEST_CASE("a bucket says when it is full again, and a refusal does not delay that") {
    const TokenRate rate({.tokens_per_sec = 10, .burst = 2});
    TokenBucket bucket;
    CHECK(granted(bucket, rate, start, 100) == 2);
    CHECK(bucket.full_at() == start + 200ms);
    CHECK(granted(bucket, rate, bucket.full_at(), 100) == 2);
}

TEST_CASE("without a rate nothing is refused and nothing is remembered") {
    const TokenRate rate({.tokens_per_sec = 0, .burst = 1});
    TokenBucket bucket;
    CHECK(rate.unlimited());
    CHECK(granted(bucket, rate, start, 1000) == 1000);
    CHECK(bucket.full_at() == TokenBucket().full_at());
}

TEST_CASE("rates out of reason are bounded") {
    const double infinity = std::numeric_limits<double>::infinity();
    CHECK(TokenRate({.tokens_per_sec = infinity, .burst = infinity}).interval() == 0ns);
    CHECK(TokenRate({.tokens_per_sec = -1, .burst = -1}).unlimited());
    const TokenRate slow({.tokens_per_sec = 1e-30, .burst = 1e300});
    CHECK(slow.interval() == 24h);
    CHECK(slow.capacity() == 3650 * 24h);
}

TEST_CASE("whenever tokens are taken, no stretch of time gives more than its burst and its rate") {
    CHECK(rc::check([](const std::vector<std::uint16_t>& pauses_ms) {
        const TokenRate rate({.tokens_per_sec = 20, .burst = 4});
        RC_ASSERT(conform(taken_with(rate, pauses_ms), rate, 4));
    }));
}

}  // namespace chatx::engine
