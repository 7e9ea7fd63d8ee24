#include "proto/nearest.h"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace chatx::proto {

TEST_CASE("the nearest name is found by its end, by slips of the keyboard or by its beginning") {
    constexpr std::array<std::string_view, 5> names{
        "listen", "rate_limit.burst", "log.level", "log.format", "room_queue_limit"};
    CHECK(nearest("lisen", names) == "listen");
    CHECK(nearest("litsen", names) == "listen");
    CHECK(nearest("burst", names) == "rate_limit.burst");
    CHECK(nearest("limits.burst", names) == "rate_limit.burst");
    CHECK(nearest("log.levle", names) == "log.level");
    CHECK(nearest("room_queue", names) == "room_queue_limit");
    CHECK(nearest("log", names) == std::nullopt);
    CHECK(nearest("", names) == std::nullopt);
    CHECK(nearest("colour", names) == std::nullopt);
    CHECK(nearest(std::string(65, 'l'), names) == std::nullopt);
    CHECK(nearest("listen", {}) == std::nullopt);
}

}  // namespace chatx::proto
