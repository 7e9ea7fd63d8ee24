#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/room.h"
#include "node/store/log.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace chatx::node {

/// A room as operators see it: in memory, or only in the store.
struct RoomRow {
    /// What a room in memory has beside its head.
    struct Live {
        std::size_t users = 0;        // Visibly there.
        std::size_t connections = 0;  // Of those users.
        std::size_t listeners = 0;    // Further subscribers, whom nobody sees.
        std::size_t queue = 0;        // Sends that wait.
        std::size_t memory_bytes = 0;
        bool operator==(const Live&) const = default;
    };

    RoomId room;
    Epoch epoch;
    Seq seq;
    std::optional<WallTime> last_inserted_at;  // The store knows it.
    std::optional<Live> live;                  // Nothing: the room is in the store alone.

    bool operator==(const RoomRow&) const = default;
};

/// The row of a room in memory, on its loop; of one in the store; and of one in both.
RoomRow row_of(const engine::Room& room);
RoomRow row_of(const RoomHead& head);
RoomRow merged(RoomRow live, const RoomRow& stored);

/// `active` in memory, `stored` in the store alone.
std::string_view state_of(const RoomRow& row);

/// A page of rooms in order of name.
struct RoomRows {
    std::vector<RoomRow> rows;
    bool more = false;
};

/// Puts pages together: each is in order and holds the first `limit` + 1 rooms of its source, or
/// all of them. A room in memory wins over the same room in the store.
RoomRows merge_rows(const std::vector<std::vector<RoomRow>>& pages, std::size_t limit);

}  // namespace chatx::node
