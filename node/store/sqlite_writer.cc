#include "node/store/sqlite_writer.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace chatx::node {

namespace {

Error refusal(Reason reason, std::string detail) {
    return {reason, std::move(detail), std::nullopt};
}

std::optional<std::uint64_t> bits_of(const std::optional<MessageId>& id) {
    if (!id) return std::nullopt;
    return id->value;
}

std::int64_t milliseconds(WallTime time) {
    return time.time_since_epoch().count();
}

/// Runs an insert whose parameters are the columns of `log` and `messages`.
bool insert_message(SqliteStatement& statement, std::int64_t room_key, const Message& message) {
    SqliteQuery query(
        statement,
        room_key,
        message.seq.value,
        message.epoch.lineage,
        message.epoch.counter,
        message.epoch.node,
        message.id.value,
        message.user.text(),
        message.content,
        milliseconds(message.inserted_at),
        message.client_id,
        bits_of(message.reply_to),
        checksum_of(message));
    return query.done();
}

Error does_not_follow(const Message& message, const SqliteHead& head) {
    return refusal(
        Reason::room_unavailable,
        "the log of the room ends at " + std::to_string(head.seq.value) + ", entry "
            + std::to_string(message.seq.value) + " does not follow");
}

SqliteIdentity draw_identity(Entropy& entropy) {
    SqliteIdentity identity;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < identity.id.size(); ++i) {
        bits = i % 8 == 0 ? entropy.next() : bits >> 8;
        identity.id[i] = static_cast<char>(bits);
    }
    return identity;
}

}  // namespace

Result<Done> SqliteWriter::create(const std::string& path, Entropy& entropy) {
    auto connection = SqliteConnection::open(path, SqliteConnection::Mode::write, Duration::zero());
    if (!connection) return connection.error();
    if (auto created = create_schema(**connection); !created) return created;
    SqliteWriter writer(std::move(*connection));
    return writer.store_identity(draw_identity(entropy));
}

Result<std::unique_ptr<SqliteWriter>> SqliteWriter::open(
    const std::string& path, const SqliteLimits& limits, Duration busy_timeout) {
    auto connection = SqliteConnection::open(path, SqliteConnection::Mode::write, busy_timeout);
    if (!connection) return connection.error();
    if (auto ready = prepare_connection(**connection, limits); !ready) return ready.error();
    const auto identity = read_identity(**connection);
    if (!identity) return identity.error();
    std::unique_ptr<SqliteWriter> writer(new SqliteWriter(std::move(*connection)));
    writer->identity_ = *identity;
    return writer;
}

SqliteWriter::SqliteWriter(std::unique_ptr<SqliteConnection> connection)
    : connection_(std::move(connection)),
      store_identity_(
          *connection_, "INSERT OR REPLACE INTO store VALUES(1, CAST(? AS BLOB), ?, ?)"),
      head_by_name_(*connection_, "SELECT * FROM rooms WHERE name = ?"),
      add_room_(*connection_, "INSERT INTO rooms VALUES(NULL, ?, 0, 0, 0, 0, 0, 0, 0)"),
      store_head_(
          *connection_,
          "UPDATE rooms SET lineage = ?, counter = ?, node = ?, seq = ?, last_id = ?, "
          "last_inserted_at = ?,"
          " checksum = ? WHERE key = ?"),
      epoch_first_(
          *connection_,
          "SELECT first FROM epochs WHERE room = ? AND lineage = ? AND counter = ? AND node = ?"),
      store_epoch_(*connection_, "INSERT OR REPLACE INTO epochs VALUES(?, ?, ?, ?, ?, ?)"),
      forget_epochs_(
          *connection_,
          "DELETE FROM epochs WHERE room = ?1 AND (lineage, counter, node) <= (SELECT lineage, "
          "counter, node"
          " FROM epochs WHERE room = ?1 ORDER BY lineage DESC, counter DESC, node DESC LIMIT 1 "
          "OFFSET ?2)"),
      append_(*connection_, "INSERT INTO log VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      at_place_(
          *connection_,
          "SELECT id FROM log WHERE room = ?1 AND seq = ?2"
          " UNION ALL SELECT id FROM messages"
          " WHERE room = ?1 AND seq = ?2 AND lineage = ?3 AND counter = ?4 AND node = ?5"),
      truncate_(
          *connection_,
          "DELETE FROM log WHERE room = (SELECT key FROM rooms WHERE name = ?) AND seq <= ?"),
      save_(
          *connection_,
          "INSERT INTO messages VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
      saved_(
          *connection_,
          "SELECT id FROM messages WHERE room = ? AND seq = ? AND lineage = ? AND counter = ? AND "
          "node = ?"),
      letter_count_(*connection_, "SELECT count(*) FROM dead_letters"),
      add_letter_(
          *connection_,
          "INSERT INTO dead_letters"
          " VALUES(NULL, ?, nullif(?, ''), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      remove_letter_(*connection_, "DELETE FROM dead_letters WHERE id = ?") {}

Result<Done> SqliteWriter::append(std::span<const MessagePtr> batch) {
    return in_transaction([&]() -> Result<Done> {
        Heads heads;
        for (const auto& message : batch) {
            if (auto done = append_one(*message, heads); !done) return done;
        }
        return store_heads(heads);
    });
}

Result<Done> SqliteWriter::truncate(std::span<const LogPosition> archived) {
    return in_transaction([&]() -> Result<Done> {
        for (const auto& [room, seq] : archived) {
            const auto upto =
                std::min<std::uint64_t>(seq.value, std::numeric_limits<std::int64_t>::max());
            SqliteQuery query(truncate_, room.text(), upto);
            if (!query.done()) return connection_->error();
        }
        return Done{};
    });
}

Result<Epoch> SqliteWriter::begin_epoch(WallTime now) {
    const auto clock = static_cast<std::uint64_t>(std::max<std::int64_t>(milliseconds(now), 0));
    auto next = identity_;
    next.epoch_counter = std::max(identity_.epoch_counter + 1, clock);
    const auto stored = store_identity(next);
    if (!stored) return stored.error();
    identity_ = next;
    return Epoch{0, next.epoch_counter, 0};
}

Result<Done> SqliteWriter::save(std::span<const MessagePtr> batch) {
    return in_transaction([&]() -> Result<Done> {
        Heads heads;
        for (const auto& message : batch) {
            if (auto done = save_one(*message, heads); !done) return done;
        }
        return store_heads(heads);
    });
}

Result<std::size_t> SqliteWriter::add_dead_letters(
    std::span<const DeadLetter> letters, std::size_t letters_max) {
    std::size_t added = 0;
    const auto done = in_transaction([&]() -> Result<Done> {
        SqliteQuery count(letter_count_);
        if (!count.next()) return connection_->error();
        const auto present = static_cast<std::size_t>(count.integer(0));
        added = std::min(letters.size(), letters_max - std::min(letters_max, present));
        for (const auto& letter : letters.first(added)) {
            if (auto stored = add_letter(letter); !stored) return stored;
        }
        return Done{};
    });
    if (!done) return done.error();
    return added;
}

Result<Done> SqliteWriter::remove_dead_letter(std::uint64_t id) {
    return in_transaction([&] {
        SqliteQuery query(remove_letter_, id);
        return done_or_error(query.done());
    });
}

template <class Body>
Result<Done> SqliteWriter::in_transaction(Body&& body) {
    if (stopped_) return *stopped_;
    SqliteTransaction transaction(*connection_, SqliteConnection::Mode::write);
    if (!transaction.begun()) return connection_->error();
    if (auto done = body(); !done) {
        if (connection_->file_damaged()) stopped_ = connection_->error();
        return done;
    }
    if (transaction.commit()) return Done{};
    auto error = connection_->error();
    if (connection_->disk_failed() || connection_->file_damaged()) {
        stopped_ = error;
        error.reason = Reason::timeout;
    }
    return error;
}

Result<Done> SqliteWriter::store_identity(const SqliteIdentity& identity) {
    return in_transaction([&] {
        const std::string_view id(identity.id.data(), identity.id.size());
        SqliteQuery query(store_identity_, id, identity.epoch_counter, checksum_of(identity));
        return done_or_error(query.done());
    });
}

Result<Done> SqliteWriter::append_one(const Message& message, Heads& heads) {
    const auto found = head_of(message.room, heads);
    if (!found) return found.error();
    auto& head = **found;
    if (message.seq <= head.row.seq) return append_late(message, head.row);
    if (message.seq != head.row.seq.next()) return does_not_follow(message, head.row);
    if (message.epoch < head.row.epoch) {
        return refusal(
            Reason::room_unavailable,
            "the log of the room is at epoch " + to_text(head.row.epoch) + ", the entry is of "
                + to_text(message.epoch));
    }
    if (!insert_message(append_, head.row.key, message)) return connection_->error();
    return raise_head(head, message);
}

/// The archive was saved to before the log took the entry, and raised the head.
Result<Done> SqliteWriter::append_late(const Message& message, const SqliteHead& head) {
    const auto& epoch = message.epoch;
    bool taken = false;
    {
        SqliteQuery query(
            at_place_, head.key, message.seq.value, epoch.lineage, epoch.counter, epoch.node);
        while (query.next()) {
            if (query.bits(0) == message.id.value) return Done{};
            taken = true;
        }
        if (!query.ok()) return connection_->error();
    }
    if (taken || epoch != head.epoch) return does_not_follow(message, head);
    if (!insert_message(append_, head.key, message)) return connection_->error();
    return note_epoch(head.key, epoch, message.seq);
}

/// Rows may come late and out of order, when dead letters are replayed; the head only goes up.
Result<Done> SqliteWriter::save_one(const Message& message, Heads& heads) {
    const auto found = head_of(message.room, heads);
    if (!found) return found.error();
    auto& head = **found;
    if (!insert_message(save_, head.row.key, message)) return connection_->error();
    if (connection_->changes() == 0) return check_saved(message, head.row.key);
    if (message.seq > head.row.seq) return raise_head(head, message);
    if (message.epoch == head.row.epoch) return Done{};
    return note_epoch(head.row.key, message.epoch, message.seq);
}

Result<Done> SqliteWriter::check_saved(const Message& message, std::int64_t room_key) {
    const auto& epoch = message.epoch;
    SqliteQuery query(
        saved_, room_key, message.seq.value, epoch.lineage, epoch.counter, epoch.node);
    if (query.next() && query.bits(0) == message.id.value) return Done{};
    if (!query.ok()) return connection_->error();
    return refusal(
        Reason::adapter_error,
        "a message has the place or the id of another one in the archive: it was not stored");
}

Result<SqliteWriter::TouchedHead*> SqliteWriter::head_of(const RoomId& room, Heads& heads) {
    if (const auto known = heads.find(room); known != heads.end()) return &known->second;
    const auto stored = read_head(*connection_, head_by_name_, room);
    if (!stored) return stored.error();
    if (*stored) return &heads.emplace(room, TouchedHead{**stored, false}).first->second;
    SqliteQuery add(add_room_, room.text());
    if (!add.done()) return connection_->error();
    SqliteHead row;
    row.key = connection_->last_insert_key();
    return &heads.emplace(room, TouchedHead{row, true}).first->second;
}

Result<Done> SqliteWriter::raise_head(TouchedHead& head, const Message& message) {
    auto& row = head.row;
    const bool new_reign = row.seq == Seq{} || message.epoch > row.epoch;
    row.epoch = std::max(row.epoch, message.epoch);
    row.seq = message.seq;
    row.last_id = std::max(row.last_id, message.id);
    row.last_inserted_at = std::max(row.last_inserted_at, message.inserted_at);
    head.changed = true;
    return new_reign ? note_epoch(row.key, message.epoch, message.seq) : Done{};
}

Result<Done> SqliteWriter::note_epoch(std::int64_t room_key, Epoch epoch, Seq first) {
    {
        SqliteQuery known(epoch_first_, room_key, epoch.lineage, epoch.counter, epoch.node);
        if (known.next() && known.bits(0) <= first.value) return Done{};
        if (!known.ok()) return connection_->error();
    }
    const auto checksum = checksum_of(room_key, epoch, first);
    SqliteQuery store(
        store_epoch_, room_key, epoch.lineage, epoch.counter, epoch.node, first.value, checksum);
    if (!store.done()) return connection_->error();
    SqliteQuery forget(forget_epochs_, room_key, epochs_per_room_max);
    return done_or_error(forget.done());
}

Result<Done> SqliteWriter::store_heads(const Heads& heads) {
    for (const auto& [room, head] : heads) {
        if (!head.changed) continue;
        const auto& row = head.row;
        SqliteQuery query(
            store_head_,
            row.epoch.lineage,
            row.epoch.counter,
            row.epoch.node,
            row.seq.value,
            row.last_id.value,
            milliseconds(row.last_inserted_at),
            checksum_of(room, row),
            row.key);
        if (!query.done()) return connection_->error();
    }
    return Done{};
}

Result<Done> SqliteWriter::add_letter(const DeadLetter& letter) {
    const auto& message = *letter.message;
    SqliteQuery query(
        add_letter_,
        to_text(letter.target),
        letter.user ? letter.user->text() : std::string(),
        letter.error,
        letter.attempts,
        milliseconds(letter.failed_at),
        message.room.text(),
        message.seq.value,
        message.epoch.lineage,
        message.epoch.counter,
        message.epoch.node,
        message.id.value,
        message.user.text(),
        message.content,
        milliseconds(message.inserted_at),
        message.client_id,
        bits_of(message.reply_to),
        checksum_of(letter));
    return done_or_error(query.done());
}

Result<Done> SqliteWriter::done_or_error(bool done) const {
    if (done) return Done{};
    return connection_->error();
}

}  // namespace chatx::node
