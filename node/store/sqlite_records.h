#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "engine/history.h"
#include "node/store/dead_letters.h"
#include "node/store/sqlite_connection.h"

#include <array>
#include <cstdint>
#include <optional>

/// How messages and heads look as rows, the same for the reading and the writing side. Each row
/// carries a checksum over its fields and the name of its room; a row that does not fit it is
/// damage, and is refused, never repaired or skipped. Columns are read by position, `SELECT *`: the
/// schema was compared word for word when the file was opened.
namespace chatx::node {

/// A row of `rooms`.
struct SqliteHead {
    std::int64_t key = 0;
    Epoch epoch;
    Seq seq;
    MessageId last_id;
    WallTime last_inserted_at;
};

/// The row of `store`.
struct SqliteIdentity {
    std::array<char, 16> id{};
    std::uint64_t epoch_counter = 0;
};

std::uint32_t checksum_of(const RoomId& room, const SqliteHead& head);
std::uint32_t checksum_of(const Message& message);
std::uint32_t checksum_of(const DeadLetter& letter);
std::uint32_t checksum_of(const SqliteIdentity& identity);

/// Of a row of `epochs`.
std::uint32_t checksum_of(std::int64_t room_key, Epoch epoch, Seq first);

/// What a damaged row is refused with.
Error damaged(const SqliteConnection& connection);

/// The head of the room of that name, from a statement that selects a row of `rooms` by name.
Result<std::optional<SqliteHead>> read_head(
    const SqliteConnection& connection, SqliteStatement& by_name, const RoomId& room);

/// The present row of `rooms`, whose room is `name`; nothing when it is damaged.
std::optional<SqliteHead> head_from(const SqliteQuery& row, const RoomId& name);

/// The present row of `log` or `messages`; null when it is damaged.
MessagePtr message_from(const SqliteQuery& row, const RoomId& room);

/// The present row of `dead_letters`; nothing when it is damaged.
std::optional<DeadLetter> letter_from(const SqliteQuery& row);

/// The present row of `epochs`; nothing when it is damaged.
std::optional<engine::EpochStart> epoch_start_from(const SqliteQuery& row);

/// The row of `store`.
Result<SqliteIdentity> read_identity(SqliteConnection& connection);

}  // namespace chatx::node
