#include "node/net/clock.h"

#include <doctest/doctest.h>

#include <set>

namespace chatx::node {

TEST_CASE("the monotonic clock never goes back") {
    TimePoint last = monotonic_now();
    for (int i = 0; i < 10'000; ++i) {
        const TimePoint now = monotonic_now();
        REQUIRE(now >= last);
        last = now;
    }
}

TEST_CASE("two sources of entropy draw different numbers") {
    SystemEntropy first;
    SystemEntropy second;
    std::set<std::uint64_t> drawn;
    for (int i = 0; i < 100; ++i) {
        drawn.insert(first.next());
        drawn.insert(second.next());
    }
    CHECK(drawn.size() == 200);
}

}  // namespace chatx::node
