#include "node/store/log.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace chatx::node {

Result<StoredRoom> open_room_with_sends(
    Log& log,
    const RoomId& room,
    std::size_t recent_max,
    const engine::Dedupe::Options& retries,
    WallTime now) {
    auto stored = log.open_room(room, recent_max);
    if (!stored) return stored;
    engine::RoomState& state = stored->state;
    const WallTime present = std::max(now, state.last_inserted_at);
    const auto window = std::chrono::floor<Wall::duration>(retries.window);
    auto sends = log.recent_sends(room, present - window, retries.entries_max);
    if (!sends) return sends.error();
    state.sends = *std::move(sends);
    return stored;
}

}  // namespace chatx::node
