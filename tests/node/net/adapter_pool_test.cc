#include "node/net/adapter_pool.h"

#include "node/net/clock.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;

/// A call that does this, without an answer; somebody waits for it for ever.
AdapterPool::Call call_of(std::function<void()> what) {
    return {
        .answer_by = TimePoint::max(),
        .ask = [what = std::move(what)]() -> AdapterPool::Answer {
            what();
            return [] {};
        },
        .dropped = [] { FAIL("somebody waited for it"); }};
}

}  // namespace

TEST_CASE("calls run at the same time, each once") {
    AdapterPool pool({.threads = 3, .queue_max = 10});
    std::latch together(4);  // Three calls and this thread: none goes on before all are here.
    std::atomic<int> done = 0;
    for (int i = 0; i < 3; ++i) {
        CHECK(pool.submit(call_of([&] {
            together.arrive_and_wait();
            ++done;
        })));
    }
    together.arrive_and_wait();
    CHECK(pool.stop(monotonic_now() + 10s) == 0);
    CHECK(done == 3);
}

TEST_CASE("a full queue refuses at once, and takes again when there is room") {
    AdapterPool pool({.threads = 1, .queue_max = 2});
    std::latch busy(1);
    std::latch go(1);
    std::latch drained(2);
    REQUIRE(pool.submit(call_of([&] {
        busy.count_down();
        go.wait();
    })));
    busy.wait();  // The thread hangs; what comes now waits in the queue.
    CHECK(pool.submit(call_of([&] { drained.count_down(); })));
    CHECK(pool.submit(call_of([&] { drained.count_down(); })));
    CHECK_FALSE(pool.submit(call_of([] { FAIL("was refused"); })));
    go.count_down();
    drained.wait();
    std::latch last(1);
    CHECK(pool.submit(call_of([&] { last.count_down(); })));
    last.wait();
}

TEST_CASE("a call that finds a thread when nobody waits any more is dropped and not made") {
    AdapterPool pool({.threads = 1, .queue_max = 2});
    std::latch dropped(1);
    CHECK(pool.submit(
        {.answer_by = monotonic_now(),
         .ask = []() -> AdapterPool::Answer {
             FAIL("nobody waits for it");
             return [] {};
         },
         .dropped = [&] { dropped.count_down(); }}));
    dropped.wait();
}

TEST_CASE("stopping waits for the call that runs, drops what waits and refuses what comes") {
    std::atomic<bool> answered = false;
    std::atomic<bool> dropped_ran = false;
    AdapterPool pool({.threads = 1, .queue_max = 10});
    std::latch running(1);
    std::latch go(1);
    REQUIRE(pool.submit(
        {.answer_by = TimePoint::max(),
         .ask = [&]() -> AdapterPool::Answer {
             running.count_down();
             go.wait();
             return [&] { answered = true; };
         },
         .dropped = {}}));
    running.wait();
    REQUIRE(pool.submit(call_of([&] { dropped_ran = true; })));
    pool.close();
    CHECK_FALSE(pool.submit(call_of([] {})));
    go.count_down();
    CHECK(pool.stop(monotonic_now() + 10s) == 0);
    CHECK(answered);
    CHECK_FALSE(dropped_ran);
    CHECK_FALSE(pool.submit(call_of([] {})));
    CHECK(pool.stop(monotonic_now() + 10s) == 0);
}

TEST_CASE("a call that does not return is given up in time, and its answer never given") {
    std::latch running(1);
    std::latch hang(1);
    std::latch ended(1);
    std::atomic<bool> answered = false;
    {
        AdapterPool pool({.threads = 2, .queue_max = 10});
        // Goes with the call, which is the last that its thread has.
        std::shared_ptr<void> end(nullptr, [&ended](void*) { ended.count_down(); });
        REQUIRE(pool.submit(
            {.answer_by = TimePoint::max(),
             .ask = [&, end = std::move(end)]() -> AdapterPool::Answer {
                 running.count_down();
                 hang.wait();
                 return [&] { answered = true; };
             },
             .dropped = {}}));
        running.wait();
        CHECK(pool.stop(monotonic_now() + 10ms) == 1);
        CHECK(pool.stop(monotonic_now() + 10s) == 1);  // Not waited for again.
    }
    hang.count_down();
    ended.wait();
    CHECK_FALSE(answered);
}

TEST_CASE("an adapter that hangs keeps no other waiting, and is named at the end") {
    const auto chain = std::get<engine::Chain>(
        engine::Chain::build({.names = {"auth", "rate_limit", "moderation"}, .custom = {}}));
    std::latch hang(1);
    std::array<std::latch, 2> running{std::latch(1), std::latch(1)};
    std::array<std::latch, 2> ended{std::latch(1), std::latch(1)};
    {
        AdapterPools pools(chain, {.threads = 2, .queue_max = 10});
        for (std::size_t i = 0; i < running.size(); ++i) {
            std::shared_ptr<void> end(nullptr, [&ended, i](void*) { ended[i].count_down(); });
            REQUIRE(pools.submit("moderation", call_of([&, i, end = std::move(end)] {
                                     running[i].count_down();
                                     hang.wait();
                                 })));
        }
        for (std::latch& call : running)
            call.wait();
        std::latch asked(1);
        CHECK(pools.submit("auth", call_of([&] { asked.count_down(); })));
        asked.wait();
        CHECK_FALSE(pools.submit("rate_limit", call_of([] {})));  // The room's own.
        const TimePoint began = monotonic_now();
        CHECK(pools.stop() == std::vector<std::string>{"moderation"});
        CHECK(monotonic_now() - began >= AdapterPool::stop_patience);
        CHECK_FALSE(pools.submit("auth", call_of([] {})));
    }
    hang.count_down();
    for (std::latch& call : ended)
        call.wait();
}

}  // namespace chatx::node
