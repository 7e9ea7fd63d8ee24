#pragma once

#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "node/store/dead_letters.h"
#include "node/store/log.h"
#include "node/store/sqlite_connection.h"
#include "node/store/sqlite_records.h"
#include "node/store/sqlite_schema.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace chatx::node {

/// The writing side of the store: the one connection that writes, used by one thread at a time.
/// Every call is one transaction, durable when it returns without an error. The functions are those
/// of Log, Persistence and DeadLetters.
///
/// When the disk fails while a transaction commits, it cannot be said whether that took place (the
/// pages may be written and not synced, and a later sync may succeed without them). The writer then
/// takes nothing more, so that no place in an order is given twice; opening the file again finds
/// out what it holds. Nor does it write any further to a file that SQLite finds damaged.
class SqliteWriter {
public:
    /// Makes a store in an empty file and draws its id. The file is complete and synced on return.
    static Result<Done> create(const std::string& path, Entropy& entropy);

    /// Opens a store, checking it first.
    static Result<std::unique_ptr<SqliteWriter>> open(
        const std::string& path, const SqliteLimits& limits, Duration busy_timeout);

    Result<Done> append(std::span<const MessagePtr> batch);
    Result<Done> truncate(std::span<const LogPosition> archived);
    Result<Epoch> begin_epoch(WallTime now);
    Result<Done> save(std::span<const MessagePtr> batch);
    Result<std::size_t> add_dead_letters(
        std::span<const DeadLetter> letters, std::size_t letters_max);
    Result<Done> remove_dead_letter(std::uint64_t id);

    [[nodiscard]] const SqliteIdentity& identity() const { return identity_; }

private:
    struct TouchedHead {
        SqliteHead row;
        bool changed = false;
    };

    /// The heads that a transaction touches, read once each and written at its end.
    using Heads = std::map<RoomId, TouchedHead>;

    explicit SqliteWriter(std::unique_ptr<SqliteConnection> connection);

    template <class Body>
    Result<Done> in_transaction(Body&& body);
    Result<Done> store_identity(const SqliteIdentity& identity);
    Result<Done> append_one(const Message& message, Heads& heads);
    Result<Done> append_late(const Message& message, const SqliteHead& head);
    Result<Done> save_one(const Message& message, Heads& heads);
    Result<Done> check_saved(const Message& message, std::int64_t room_key);
    Result<TouchedHead*> head_of(const RoomId& room, Heads& heads);
    Result<Done> raise_head(TouchedHead& head, const Message& message);
    Result<Done> note_epoch(std::int64_t room_key, Epoch epoch, Seq first);
    Result<Done> store_heads(const Heads& heads);
    Result<Done> add_letter(const DeadLetter& letter);
    [[nodiscard]] Result<Done> done_or_error(bool done) const;

    std::unique_ptr<SqliteConnection> connection_;
    SqliteIdentity identity_;
    std::optional<Error> stopped_;
    SqliteStatement store_identity_;
    SqliteStatement head_by_name_;
    SqliteStatement add_room_;
    SqliteStatement store_head_;
    SqliteStatement epoch_first_;
    SqliteStatement store_epoch_;
    SqliteStatement forget_epochs_;
    SqliteStatement append_;
    SqliteStatement at_place_;
    SqliteStatement truncate_;
    SqliteStatement save_;
    SqliteStatement saved_;
    SqliteStatement letter_count_;
    SqliteStatement add_letter_;
    SqliteStatement remove_letter_;
};

}  // namespace chatx::node
