#include "node/gateway/room_rows.h"

#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {
namespace {

using test::room_named;

RoomRow live_row(std::string_view name, std::uint64_t seq) {
    RoomRow row{room_named(name), Epoch{0, 2, 0}, Seq{seq}, {}, {}};
    row.live =
        RoomRow::Live{.users = 1, .connections = 2, .listeners = 3, .queue = 4, .memory_bytes = 5};
    return row;
}

RoomRow stored_row(std::string_view name, std::uint64_t seq) {
    return row_of(
        RoomHead{room_named(name), Epoch{0, 1, 0}, Seq{seq}, WallTime(WallTime::duration(42))});
}

std::vector<std::string> names(const RoomRows& page) {
    std::vector<std::string> found;
    for (const RoomRow& row : page.rows)
        found.push_back(row.room.text());
    return found;
}

TEST_CASE("pages of shards and store become one page in order of name") {
    const auto page = merge_rows(
        {{live_row("b", 1), live_row("d", 1)}, {live_row("a", 1)}, {stored_row("c", 1)}}, 10);
    CHECK(names(page) == std::vector<std::string>{"a", "b", "c", "d"});
    CHECK_FALSE(page.more);
}

TEST_CASE("a page that is full says that there is more") {
    const auto page = merge_rows({{live_row("a", 1), live_row("b", 1)}, {stored_row("c", 1)}}, 2);
    CHECK(names(page) == std::vector<std::string>{"a", "b"});
    CHECK(page.more);
    CHECK_FALSE(merge_rows({{live_row("a", 1), live_row("b", 1)}}, 2).more);
    CHECK_FALSE(merge_rows({}, 2).more);
}

TEST_CASE(
    "a room in memory and in the store is one row: memory knows best, the store knows the time") {
    for (const bool store_first : {false, true}) {
        const auto live = std::vector{live_row("a", 9)};
        const auto stored = std::vector{stored_row("a", 7)};
        const auto page =
            merge_rows(store_first ? std::vector{stored, live} : std::vector{live, stored}, 10);
        REQUIRE(page.rows.size() == 1);
        CHECK(page.rows[0].seq == Seq{9});
        CHECK(page.rows[0].epoch == Epoch{0, 2, 0});
        CHECK(page.rows[0].last_inserted_at == WallTime(WallTime::duration(42)));
        CHECK(state_of(page.rows[0]) == "active");
    }
    CHECK(state_of(stored_row("a", 1)) == "stored");
}

}  // namespace
}  // namespace chatx::node
