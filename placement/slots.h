#pragma once

#include <chatx/ids.h>

#include <compare>
#include <cstdint>

namespace chatx::placement {

/// How many slots the rooms fall into. Fixed for the life of a cluster.
inline constexpr std::uint32_t slot_count = 65'536;

/// A share of all rooms that has one owner: the unit of placement.
struct Slot {
    std::uint16_t value = 0;
    auto operator<=>(const Slot&) const = default;
};

/// The slot of a room: the top 16 bits of XXH3-64 (Collet, 2019) with seed 0 over the bytes of its
/// id. The same on every machine.
Slot slot_of(const RoomId& room);

}  // namespace chatx::placement
