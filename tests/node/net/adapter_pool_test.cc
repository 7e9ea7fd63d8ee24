#include "node/net/adapter_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <optional>
#include <thread>

namespace chatx::node {

TEST_CASE("calls run at the same time, each once") {
    AdapterPool pool({.threads = 3, .queue_max = 10});
    std::latch together(4);  // Three calls and this thread: none goes on before all are here.
    std::atomic<int> done = 0;
    const auto call = [&] {
        together.arrive_and_wait();
        ++done;
    };
    for (int i = 0; i < 3; ++i)
        CHECK(pool.submit(call));
    together.arrive_and_wait();
    pool.stop();
    CHECK(done == 3);
}

TEST_CASE("a full queue refuses at once, and takes again when there is room") {
    AdapterPool pool({.threads = 1, .queue_max = 2});
    std::latch busy(1);
    std::latch go(1);
    std::latch drained(2);
    REQUIRE(pool.submit([&] {
        busy.count_down();
        go.wait();
    }));
    busy.wait();  // The thread hangs; what comes now waits in the queue.
    CHECK(pool.submit([&] { drained.count_down(); }));
    CHECK(pool.submit([&] { drained.count_down(); }));
    CHECK_FALSE(pool.submit([] { FAIL("was refused"); }));
    go.count_down();
    drained.wait();
    std::latch last(1);
    CHECK(pool.submit([&] { last.count_down(); }));
    last.wait();
}

TEST_CASE("stopping waits for the call that runs, drops what waits and refuses what comes") {
    std::atomic<bool> finished = false;
    std::atomic<bool> dropped_ran = false;
    AdapterPool pool(
        {.threads = 1, .queue_max = 10'000'000});  // Never full: a refusal means the stop.
    std::latch running(1);
    std::latch go(1);
    REQUIRE(pool.submit([&] {
        running.count_down();
        go.wait();
        finished = true;
    }));
    running.wait();
    REQUIRE(pool.submit([&] { dropped_ran = true; }));
    std::thread stopper([&] { pool.stop(); });
    while (pool.submit([] {}))
        std::this_thread::yield();  // Until the stop has begun.
    go.count_down();
    stopper.join();
    CHECK(finished);
    CHECK_FALSE(dropped_ran);
    CHECK_FALSE(pool.submit([] {}));
    pool.stop();
}

}  // namespace chatx::node
