#include "node/gateway/room_rows.h"

#include <map>
#include <utility>

namespace chatx::node {

RoomRow row_of(const engine::Room& room) {
    const std::size_t visible = room.presence().member_count();
    return {
        .room = room.id(),
        .epoch = room.epoch(),
        .seq = room.head(),
        .last_inserted_at = std::nullopt,
        .live = RoomRow::Live{
            .users = room.presence().user_count(),
            .connections = visible,
            .listeners = room.subscriber_count() - visible,
            .queue = room.queue_size(),
            .memory_bytes = room.memory_bytes()}};
}

RoomRow row_of(const RoomHead& head) {
    return {
        .room = head.room,
        .epoch = head.epoch,
        .seq = head.seq,
        .last_inserted_at = head.last_inserted_at,
        .live = std::nullopt};
}

RoomRow merged(RoomRow live, const RoomRow& stored) {
    live.last_inserted_at = stored.last_inserted_at;
    return live;
}

std::string_view state_of(const RoomRow& row) {
    return row.live ? "active" : "stored";
}

RoomRows merge_rows(const std::vector<std::vector<RoomRow>>& pages, std::size_t limit) {
    std::map<RoomId, RoomRow> by_name;
    for (const auto& page : pages) {
        for (const RoomRow& row : page) {
            const auto [known, fresh] = by_name.emplace(row.room, row);
            if (fresh) continue;
            known->second = row.live ? merged(row, known->second) : merged(known->second, row);
        }
    }
    RoomRows result;
    for (auto& [name, row] : by_name) {
        if (result.rows.size() == limit) {
            result.more = true;
            break;
        }
        result.rows.push_back(std::move(row));
    }
    return result;
}

}  // namespace chatx::node
