#include "node/net/shared_token_bucket.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace chatx::node {

using namespace std::chrono_literals;

namespace {

constexpr TimePoint start = TimePoint(1h);

}  // namespace

TEST_CASE("a shared bucket gives its burst, says how long to wait, and is full again in time") {
    const engine::TokenRate rate({.tokens_per_sec = 10, .burst = 2});
    SharedTokenBucket bucket(rate);
    CHECK(bucket.full_at() < start);
    CHECK_FALSE(bucket.take(start));
    CHECK_FALSE(bucket.take(start));
    CHECK(bucket.take(start) == 100ms);
    CHECK(bucket.full_at() == start + 200ms);
    CHECK_FALSE(bucket.take(start + 100ms));
}

TEST_CASE("threads that take from one bucket get its burst and not one token more") {
    const engine::TokenRate rate({.tokens_per_sec = 1, .burst = 1000});
    SharedTokenBucket bucket(rate);
    std::atomic<int> granted = 0;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 1000; ++k)
                granted += bucket.take(start) ? 0 : 1;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK(granted == 1000);
}

}  // namespace chatx::node
