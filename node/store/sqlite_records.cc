#include "node/store/sqlite_records.h"

#include "node/store/checksum.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

namespace chatx::node {

namespace {

std::uint64_t bits_of(WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

WallTime wall_time(std::int64_t milliseconds) {
    return WallTime(WallTime::duration(milliseconds));
}

void add_epoch(Checksum& checksum, Epoch epoch) {
    checksum.add(epoch.lineage).add(epoch.counter).add(epoch.node);
}

void add_message(Checksum& checksum, const Message& message) {
    checksum.add(message.room.text()).add(message.seq.value);
    add_epoch(checksum, message.epoch);
    checksum.add(message.id.value).add(message.user.text()).add(message.content);
    checksum.add(bits_of(message.inserted_at)).add(message.client_id);
    checksum.add(message.reply_to ? 1U : 0U).add(message.reply_to.value_or(MessageId{}).value);
}

/// Three columns; nothing when they hold no epoch.
std::optional<Epoch> epoch_from(const SqliteQuery& row, int first) {
    const auto lineage = row.bits(first);
    const auto node = row.bits(first + 2);
    const Epoch epoch{
        static_cast<std::uint32_t>(lineage), row.bits(first + 1), static_cast<std::uint16_t>(node)};
    if (epoch.lineage != lineage || epoch.node != node) return std::nullopt;
    return epoch;
}

bool fits(const SqliteQuery& row, int column, std::uint32_t checksum) {
    return row.integer(column) == static_cast<std::int64_t>(checksum);
}

/// Columns seq to reply_to, which `log`, `messages` and `dead_letters` have in one order. Not
/// compared with a checksum.
std::shared_ptr<Message> fields_from(const SqliteQuery& row, int first, const RoomId& room) {
    const auto epoch = epoch_from(row, first + 1);
    const auto user = UserId::parse(row.text(first + 5));
    if (!epoch || !user) return nullptr;
    std::optional<MessageId> reply_to;
    if (!row.is_null(first + 9)) reply_to = MessageId{row.bits(first + 9)};
    return std::make_shared<Message>(Message{
        MessageId{row.bits(first + 4)},
        room,
        *user,
        std::string(row.text(first + 6)),
        wall_time(row.integer(first + 7)),
        *epoch,
        Seq{row.bits(first)},
        std::string(row.text(first + 8)),
        reply_to});
}

}  // namespace

std::uint32_t checksum_of(const RoomId& room, const SqliteHead& head) {
    Checksum checksum;
    checksum.add(static_cast<std::uint64_t>(head.key)).add(room.text());
    add_epoch(checksum, head.epoch);
    checksum.add(head.seq.value).add(head.last_id.value).add(bits_of(head.last_inserted_at));
    return checksum.value();
}

std::uint32_t checksum_of(const Message& message) {
    Checksum checksum;
    add_message(checksum, message);
    return checksum.value();
}

std::uint32_t checksum_of(const DeadLetter& letter) {
    Checksum checksum;
    checksum.add(to_text(letter.target)).add(letter.user ? letter.user->text() : std::string());
    checksum.add(letter.error).add(letter.attempts).add(bits_of(letter.failed_at));
    add_message(checksum, *letter.message);
    return checksum.value();
}

std::uint32_t checksum_of(const SqliteIdentity& identity) {
    return Checksum()
        .add(std::string_view(identity.id.data(), identity.id.size()))
        .add(identity.epoch_counter)
        .value();
}

std::uint32_t checksum_of(std::int64_t room_key, Epoch epoch, Seq first) {
    Checksum checksum;
    checksum.add(static_cast<std::uint64_t>(room_key));
    add_epoch(checksum, epoch);
    return checksum.add(first.value).value();
}

Error damaged(const SqliteConnection& connection) {
    return {
        Reason::adapter_error,
        connection.path() + ": a record is damaged: stop the node, keep the file, restore a backup",
        std::nullopt};
}

Result<std::optional<SqliteHead>> read_head(
    const SqliteConnection& connection, SqliteStatement& by_name, const RoomId& room) {
    SqliteQuery query(by_name, room.text());
    if (!query.next()) {
        if (!query.ok()) return connection.error();
        return std::optional<SqliteHead>();
    }
    auto head = head_from(query, room);
    if (!head) return damaged(connection);
    return head;
}

std::optional<SqliteHead> head_from(const SqliteQuery& row, const RoomId& name) {
    const auto epoch = epoch_from(row, 2);
    if (!epoch) return std::nullopt;
    const SqliteHead head{
        row.integer(0),
        *epoch,
        Seq{row.bits(5)},
        MessageId{row.bits(6)},
        wall_time(row.integer(7))};
    if (!fits(row, 8, checksum_of(name, head))) return std::nullopt;
    return head;
}

MessagePtr message_from(const SqliteQuery& row, const RoomId& room) {
    auto message = fields_from(row, 1, room);
    if (!message || !fits(row, 11, checksum_of(*message))) return nullptr;
    return message;
}

std::optional<DeadLetter> letter_from(const SqliteQuery& row) {
    const auto target = engine::delivery_target_from_text(row.text(1));
    const auto room = RoomId::parse(row.text(6));
    if (!target || !room) return std::nullopt;
    DeadLetter letter;
    letter.id = row.bits(0);
    letter.target = *target;
    if (!row.is_null(2)) {
        const auto user = UserId::parse(row.text(2));
        if (!user) return std::nullopt;
        letter.user = *user;
    }
    letter.error = row.text(3);
    letter.attempts = static_cast<std::uint32_t>(row.bits(4));
    letter.failed_at = wall_time(row.integer(5));
    letter.message = fields_from(row, 7, *room);
    if (!letter.message || !fits(row, 17, checksum_of(letter))) return std::nullopt;
    return letter;
}

std::optional<engine::EpochStart> epoch_start_from(const SqliteQuery& row) {
    const auto epoch = epoch_from(row, 1);
    const Seq first{row.bits(4)};
    if (!epoch || !fits(row, 5, checksum_of(row.integer(0), *epoch, first))) return std::nullopt;
    return engine::EpochStart{*epoch, first};
}

Result<SqliteIdentity> read_identity(SqliteConnection& connection) {
    SqliteStatement select(connection, "SELECT id, epoch_counter, checksum FROM store");
    SqliteQuery query(select);
    if (!query.next()) return query.ok() ? damaged(connection) : connection.error();
    SqliteIdentity identity;
    const auto id = query.text(0);
    if (id.size() != identity.id.size()) return damaged(connection);
    std::copy(id.begin(), id.end(), identity.id.begin());
    identity.epoch_counter = query.bits(1);
    if (!fits(query, 2, checksum_of(identity))) return damaged(connection);
    return identity;
}

}  // namespace chatx::node
