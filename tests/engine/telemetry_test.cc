#include "engine/telemetry.h"

#include <doctest/doctest.h>

#include <set>
#include <string_view>

namespace chatx::engine {

TEST_CASE("every metric has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < metric_count; ++i) {
        names.insert(to_text(static_cast<Metric>(i)));
    }
    CHECK(names.size() == metric_count);
    CHECK_FALSE(names.contains(""));
}

TEST_CASE("metrics are named like their enumerators") {
    CHECK(to_text(Metric::message_sent) == "message_sent");
    CHECK(to_text(Metric::rate_limit_hit) == "rate_limit_hit");
    CHECK(to_text(Metric::rejected) == "rejected");
    CHECK(to_text(Metric::room_closed) == "room_closed");
    CHECK(to_text(Metric::room_crashed) == "room_crashed");
}

}  // namespace chatx::engine
