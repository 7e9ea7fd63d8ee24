#include "placement/slots.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

namespace chatx::placement {

TEST_CASE("a room's slot is the top of XXH3-64 with seed 0") {
    CHECK(slot_of(*RoomId::parse("general")) == slot_of(*RoomId::parse("general")));
    CHECK(slot_of(*RoomId::parse("general")) != slot_of(*RoomId::parse("General")));
}

TEST_CASE("rooms spread evenly over the slots") {
    std::array<int, 16> counts{};
    for (int i = 0; i < 16'000; ++i) {
        ++counts[slot_of(*RoomId::parse("room-" + std::to_string(i))).value >> 12];
    }
    for (const int count : counts) {
        CHECK(count > 800);
        CHECK(count < 1'200);
    }
}

}  // namespace chatx::placement
