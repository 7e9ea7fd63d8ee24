#include "placement/slots.h"

#include <xxhash.h>

namespace chatx::placement {

Slot slot_of(const RoomId& room) {
    const std::uint64_t hash = XXH3_64bits(room.text().data(), room.text().size());
    return Slot{static_cast<std::uint16_t>(hash >> 48)};
}

}  // namespace chatx::placement
