#include "engine/rate_limiter.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint start = TimePoint(1h);

UserId user(int number) {
    return *UserId::parse("u" + std::to_string(number));
}

int granted(RateLimiter& limiter, const UserId& who, TimePoint now, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i)
        count += limiter.take(who, now) ? 0 : 1;
    return count;
}

}  // namespace

TEST_CASE("a bucket is full at start and gives its burst at once") {
    RateLimiter limiter({.messages_per_sec = 10, .burst = 20, .buckets_max = 10});
    for (int i = 0; i < 20; ++i)
        CHECK_FALSE(limiter.take(user(1), start));
    CHECK(limiter.take(user(1), start) == 100ms);
    CHECK(limiter.take(user(1), start + 40ms) == 60ms);
}

TEST_CASE("a token comes back exactly when the refusal said, not a nanosecond earlier") {
    RateLimiter limiter({.messages_per_sec = 3, .burst = 1, .buckets_max = 10});
    CHECK_FALSE(limiter.take(user(1), start));
    const auto wait = limiter.take(user(1), start + 1ms);
    REQUIRE(wait);
    CHECK(limiter.take(user(1), start + 1ms + *wait - 1ns) == 1ns);
    CHECK_FALSE(limiter.take(user(1), start + 1ms + *wait));
    CHECK(1ms + *wait == 333'333'334ns);  // Rounded up: never faster than the rate.
}

TEST_CASE("each user has a bucket of its own") {
    RateLimiter limiter({.messages_per_sec = 1, .burst = 1, .buckets_max = 10});
    CHECK_FALSE(limiter.take(user(1), start));
    CHECK(limiter.take(user(1), start));
    CHECK_FALSE(limiter.take(user(2), start));
}

TEST_CASE("a rate of 0 limits nothing and keeps nothing") {
    RateLimiter limiter({.messages_per_sec = 0, .burst = 1, .buckets_max = 1});
    CHECK(granted(limiter, user(1), start, 1000) == 1000);
    CHECK(limiter.bucket_count() == 0);
}

TEST_CASE("settings out of reason are bounded") {
    const double infinity = std::numeric_limits<double>::infinity();
    RateLimiter fast({.messages_per_sec = infinity, .burst = infinity, .buckets_max = 1});
    CHECK(granted(fast, user(1), start, 100) == 100);
    RateLimiter slow({.messages_per_sec = 1e-30, .burst = 0, .buckets_max = 1});
    CHECK_FALSE(slow.take(user(1), start));
    CHECK(slow.take(user(1), start) == 24h);
    RateLimiter wide({.messages_per_sec = 1e-30, .burst = 1e300, .buckets_max = 1});
    CHECK(granted(wide, user(1), start, 3650) == 3650);
    CHECK(wide.take(user(1), start) == 24h);
}

TEST_CASE("a bucket that is full again is dropped") {
    RateLimiter limiter({.messages_per_sec = 10, .burst = 20, .buckets_max = 10});
    CHECK(granted(limiter, user(1), start, 3) == 3);
    CHECK(limiter.all_full_at() == start + 300ms);
    limiter.expire(start + 300ms - 1ns);
    CHECK(limiter.bucket_count() == 1);
    limiter.expire(start + 300ms);
    CHECK(limiter.bucket_count() == 0);
    CHECK_FALSE(limiter.all_full_at());
}

TEST_CASE("beyond its buckets it refuses new users until one is full") {
    RateLimiter limiter({.messages_per_sec = 10, .burst = 20, .buckets_max = 2});
    CHECK_FALSE(limiter.take(user(1), start));
    CHECK_FALSE(limiter.take(user(2), start + 10ms));
    CHECK(limiter.take(user(3), start + 20ms) == 80ms);
    CHECK_FALSE(limiter.take(user(1), start + 30ms));
    CHECK_FALSE(limiter.take(user(3), start + 110ms));
    CHECK(limiter.bucket_count() == 2);
}

TEST_CASE("memory stays flat under a million users who come and go") {
    RateLimiter limiter({.messages_per_sec = 10, .burst = 20, .buckets_max = 50'000});
    std::size_t most = 0;
    int refused = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        refused += limiter.take(user(i), start + i * 1ms) ? 1 : 0;
        most = std::max(most, limiter.bucket_count());
    }
    CHECK(refused == 0);
    CHECK(most == 100);
}

namespace {

void grants_match_a_bucket() {
    const int rate = *rc::gen::inRange(1, 1000);
    const int burst = *rc::gen::inRange(1, 50);
    const auto gaps_ms = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
    const double per_sec = rate;
    RateLimiter limiter(
        {.messages_per_sec = per_sec, .burst = static_cast<double>(burst), .buckets_max = 9});
    double tokens = burst;
    TimePoint now = start;
    for (const int gap : gaps_ms) {
        now += gap * 1ms;
        tokens = std::min<double>(burst, tokens + per_sec * gap / 1000);
        const bool ok = !limiter.take(user(1), now);
        // Tokens are counted in whole nanoseconds: the model may differ by a thousandth.
        if (ok) RC_ASSERT(tokens > 1 - 1e-3);
        if (!ok) RC_ASSERT(tokens < 1 + 1e-3);
        if (ok) tokens -= 1;
    }
}

}  // namespace

TEST_CASE("over any stretch it grants burst and rate times time, no more and no less") {
    CHECK(rc::check(grants_match_a_bucket));
}

}  // namespace chatx::engine
