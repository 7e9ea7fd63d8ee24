#include "node/store/sqlite_reader.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace chatx::node {

namespace {

constexpr std::uint64_t seq_max = std::numeric_limits<std::int64_t>::max();

/// A seq as SQL compares it. Clients may ask for any number.
std::int64_t clamped(std::uint64_t number) {
    return static_cast<std::int64_t>(std::min(number, seq_max));
}

HistoryPage unknown_anchor() {
    HistoryPage page;
    page.anchor_known = false;
    return page;
}

}  // namespace

Result<std::unique_ptr<SqliteReader>> SqliteReader::open(
    const std::string& path, Duration busy_timeout) {
    auto connection = SqliteConnection::open(path, SqliteConnection::Mode::read, busy_timeout);
    if (!connection) return connection.error();
    if (!(*connection)->run("PRAGMA cell_size_check = ON")) return (*connection)->error();
    return std::unique_ptr<SqliteReader>(new SqliteReader(std::move(*connection)));
}

SqliteReader::SqliteReader(std::unique_ptr<SqliteConnection> connection)
    : connection_(std::move(connection)),
      head_by_name_(*connection_, "SELECT * FROM rooms WHERE name = ?"),
      heads_after_(*connection_, "SELECT * FROM rooms WHERE name > ? ORDER BY name LIMIT ?"),
      anchor_(*connection_, "SELECT seq FROM messages WHERE id = ? AND room = ?"),
      // Ids without a sign: those below 0 are the largest.
      last_id_(
          *connection_,
          "SELECT max(id) FROM messages UNION ALL SELECT max(id) FROM messages WHERE id < 0"
          " UNION ALL SELECT max(id) FROM log UNION ALL SELECT max(id) FROM log WHERE id < 0"
          " UNION ALL SELECT max(message) FROM dead_letters"
          " UNION ALL SELECT max(message) FROM dead_letters WHERE message < 0"),
      oldest_first_(
          *connection_,
          "SELECT * FROM messages WHERE room = ? AND seq > ? AND seq < ?"
          " ORDER BY seq, lineage, counter, node LIMIT ?"),
      latest_first_(
          *connection_,
          "SELECT * FROM messages WHERE room = ? AND seq < ?"
          " ORDER BY seq DESC, lineage DESC, counter DESC, node DESC LIMIT ?"),
      tail_(
          *connection_,
          "SELECT *, 1 FROM log WHERE room = ?1 UNION ALL SELECT *, 0 FROM messages WHERE room = ?1"
          " ORDER BY seq DESC, lineage DESC, counter DESC, node DESC LIMIT ?2"),
      log_start_(*connection_, "SELECT min(seq) FROM log WHERE room = ?"),
      epochs_(*connection_, "SELECT * FROM epochs WHERE room = ? ORDER BY lineage, counter, node"),
      backlog_(
          *connection_,
          "SELECT *, (SELECT name FROM rooms WHERE key = log.room) FROM log WHERE (room, seq) > "
          "(?, ?)"
          " ORDER BY room, seq LIMIT ?"),
      letters_after_(*connection_, "SELECT * FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?"),
      letters_of_room_(
          *connection_,
          "SELECT * FROM dead_letters WHERE room = ? AND seq > ? AND target = ?"
          " ORDER BY seq DESC LIMIT ?"),
      letter_by_id_(*connection_, "SELECT * FROM dead_letters WHERE id = ?"),
      letter_count_(*connection_, "SELECT count(*) FROM dead_letters") {}

Result<HistoryPage> SqliteReader::load(const RoomId& room, const HistoryRange& range) {
    SqliteTransaction transaction(*connection_, SqliteConnection::Mode::read);
    if (!transaction.begun()) return connection_->error();
    const auto head = read_head(*connection_, head_by_name_, room);
    if (!head) return head.error();
    if (!*head) return range.after_id ? unknown_anchor() : HistoryPage{};
    return load_page(room, (*head)->key, range);
}

Result<MessageId> SqliteReader::last_id() {
    MessageId last;
    SqliteQuery query(last_id_);
    while (query.next())
        last = std::max(last, MessageId{query.bits(0)});
    if (!query.ok()) return connection_->error();
    return last;
}

Result<StoredRoom> SqliteReader::open_room(const RoomId& room, std::size_t recent_max) {
    SqliteTransaction transaction(*connection_, SqliteConnection::Mode::read);
    if (!transaction.begun()) return connection_->error();
    const auto head = read_head(*connection_, head_by_name_, room);
    if (!head) return head.error();
    if (!*head) return StoredRoom{};
    auto epochs = epochs_of((*head)->key);
    if (!epochs) return epochs.error();
    if (epochs->empty() || epochs->back().epoch != (*head)->epoch) return damaged(*connection_);
    auto recent = tail_of(room, **head, recent_max);
    if (!recent) return recent.error();
    const auto archived = archived_upto(**head);
    if (!archived) return archived.error();
    StoredRoom found;
    found.state.epoch = (*head)->epoch;
    found.state.seq = (*head)->seq;
    found.state.last_id = (*head)->last_id;
    found.state.last_inserted_at = (*head)->last_inserted_at;
    found.state.epochs = std::move(*epochs);
    found.state.recent = std::move(*recent);
    found.archived = *archived;
    return found;
}

/// From the head downwards: times only grow in a room, so the first one out of the window ends it.
Result<std::vector<engine::Dedupe::Applied>> SqliteReader::recent_sends(
    const RoomId& room, WallTime since, std::size_t places_max) {
    SqliteTransaction transaction(*connection_, SqliteConnection::Mode::read);
    if (!transaction.begun()) return connection_->error();
    const auto head = read_head(*connection_, head_by_name_, room);
    if (!head) return head.error();
    std::vector<engine::Dedupe::Applied> sends;
    if (!*head) return sends;
    const std::size_t places = std::min(places_max, recent_sends_max);
    const Seq after{(*head)->seq.value - std::min<std::uint64_t>(places, (*head)->seq.value)};
    SqliteQuery query(tail_, (*head)->key, 2 * places);
    while (query.next()) {
        const auto message = message_from(query, room);
        if (!message) return damaged(*connection_);
        if (message->inserted_at <= since) break;
        if (message->seq <= after) break;
        const bool again = !sends.empty() && sends.back().reply.id == message->id;
        if (auto send = again ? std::nullopt : engine::applied_send(*message))
            sends.push_back(*std::move(send));
    }
    if (!query.ok()) return connection_->error();
    std::reverse(sends.begin(), sends.end());
    if (auto added = add_dead_sends(sends, room, since, after); !added) return added.error();
    return sends;
}

Result<std::vector<MessagePtr>> SqliteReader::backlog(
    const std::optional<LogPosition>& after, std::size_t limit) {
    SqliteTransaction transaction(*connection_, SqliteConnection::Mode::read);
    if (!transaction.begun()) return connection_->error();
    if (!after) return backlog_from(0, Seq{}, limit);
    const auto head = read_head(*connection_, head_by_name_, after->room);
    if (!head) return head.error();
    if (!*head) return Error{Reason::adapter_error, "no such room in the log", std::nullopt};
    return backlog_from((*head)->key, after->seq, limit);
}

Result<std::vector<RoomHead>> SqliteReader::rooms(std::string_view after, std::size_t limit) {
    std::vector<RoomHead> found;
    SqliteQuery query(heads_after_, after, std::min(limit, log_page_max));
    while (query.next()) {
        const auto room = RoomId::parse(query.text(1));
        const auto head = room ? head_from(query, *room) : std::nullopt;
        if (!head) return damaged(*connection_);
        found.push_back({*room, head->epoch, head->seq, head->last_inserted_at});
    }
    if (!query.ok()) return connection_->error();
    return found;
}

Result<std::vector<DeadLetter>> SqliteReader::dead_letters(std::uint64_t after, std::size_t limit) {
    std::vector<DeadLetter> found;
    SqliteQuery query(letters_after_, clamped(after), std::min(limit, dead_letter_page_max));
    while (query.next()) {
        auto letter = letter_from(query);
        if (!letter) return damaged(*connection_);
        found.push_back(std::move(*letter));
    }
    if (!query.ok()) return connection_->error();
    return found;
}

Result<std::optional<DeadLetter>> SqliteReader::dead_letter(std::uint64_t id) {
    SqliteQuery query(letter_by_id_, id);
    if (query.next()) {
        auto letter = letter_from(query);
        if (!letter) return damaged(*connection_);
        return letter;
    }
    if (!query.ok()) return connection_->error();
    return std::optional<DeadLetter>();
}

Result<std::size_t> SqliteReader::dead_letter_count() {
    SqliteQuery query(letter_count_);
    if (!query.next()) return connection_->error();
    return static_cast<std::size_t>(query.integer(0));
}

Result<HistoryPage> SqliteReader::load_page(
    const RoomId& room, std::int64_t room_key, const HistoryRange& range) {
    HistoryPage page;
    auto after = range.after;
    if (range.after_id) {
        const auto anchor = find_anchor(room_key, *range.after_id);
        if (!anchor) return anchor.error();
        if (!*anchor) return unknown_anchor();
        after = page.anchor = **anchor;
    }
    const std::size_t limit = std::min(range.limit, history_page_max);
    const auto before = clamped(range.before.value_or(Seq{seq_max}).value);
    auto messages = after ? read_messages(
                        oldest_first_, room, room_key, clamped(after->value), before, limit + 1)
                          : read_messages(latest_first_, room, room_key, before, limit + 1);
    if (!messages) return messages.error();
    page.messages = std::move(*messages);
    page.more = page.messages.size() > limit;
    if (page.more)
        page.messages.pop_back();  // One beyond the page, in the direction that was read.
    if (!after) std::reverse(page.messages.begin(), page.messages.end());
    return page;
}

Result<std::optional<Seq>> SqliteReader::find_anchor(std::int64_t room_key, MessageId id) {
    SqliteQuery query(anchor_, id.value, room_key);
    std::optional<Seq> seq;
    if (query.next()) seq = Seq{query.bits(0)};
    if (!query.ok()) return connection_->error();
    return seq;
}

template <class... Parameters>
Result<std::vector<MessagePtr>> SqliteReader::read_messages(
    SqliteStatement& statement, const RoomId& room, Parameters... parameters) {
    std::vector<MessagePtr> messages;
    SqliteQuery query(statement, parameters...);
    while (query.next()) {
        messages.push_back(message_from(query, room));
        if (!messages.back()) return damaged(*connection_);
    }
    if (!query.ok()) return connection_->error();
    return messages;
}

Result<std::vector<engine::EpochStart>> SqliteReader::epochs_of(std::int64_t room_key) {
    std::vector<engine::EpochStart> found;
    SqliteQuery query(epochs_, room_key);
    while (query.next()) {
        const auto start = epoch_start_from(query);
        if (!start) return damaged(*connection_);
        found.push_back(*start);
    }
    if (!query.ok()) return connection_->error();
    return found;
}

/// An entry may be in the log and in the archive at once, hence two rows for each place wanted. A
/// hole ends the tail: a dead letter may be missing in the archive. But no entry of the log stands
/// below a hole, since the log is truncated up to where the archive is done, and a room is opened
/// when all its entries are in the log: there the hole is damage.
Result<std::vector<MessagePtr>> SqliteReader::tail_of(
    const RoomId& room, const SqliteHead& head, std::size_t recent_max) {
    const auto size_max = std::min(recent_max, recent_messages_max);
    std::vector<MessagePtr> tail;
    auto expected = head.seq.value;
    bool hole = false;
    SqliteQuery query(tail_, head.key, 2 * size_max);
    while (query.next()) {
        const bool in_log = query.integer(12) != 0;
        const auto seq = query.bits(1);
        hole = hole || seq < expected;
        if (hole && in_log) return damaged(*connection_);
        if (hole || seq > expected) continue;
        if (tail.size() == size_max) break;
        tail.push_back(message_from(query, room));
        if (!tail.back()) return damaged(*connection_);
        --expected;
    }
    if (!query.ok()) return connection_->error();
    std::reverse(tail.begin(), tail.end());
    return tail;
}

/// A dead letter may be in the archive too, when it was replayed and not removed yet.
Result<Done> SqliteReader::add_dead_sends(
    std::vector<engine::Dedupe::Applied>& sends, const RoomId& room, WallTime since, Seq after) {
    const std::size_t alive = sends.size();
    const auto target = to_text(engine::DeliveryTarget::persistence);
    SqliteQuery query(
        letters_of_room_, room.text(), clamped(after.value), target, recent_sends_max);
    while (query.next()) {
        const auto letter = letter_from(query);
        if (!letter) return damaged(*connection_);
        if (letter->message->inserted_at <= since) continue;
        if (auto send = engine::applied_send(*letter->message)) sends.push_back(*std::move(send));
    }
    if (!query.ok()) return connection_->error();
    if (sends.size() == alive) return Done{};
    const auto place = [](const engine::Dedupe::Applied& send) {
        return std::tie(send.reply.seq, send.reply.epoch, send.reply.id);
    };
    std::ranges::sort(sends, {}, place);
    const auto same = [](const engine::Dedupe::Applied& a, const engine::Dedupe::Applied& b) {
        return a.reply.id == b.reply.id;
    };
    sends.erase(std::unique(sends.begin(), sends.end(), same), sends.end());
    return Done{};
}

Result<Seq> SqliteReader::archived_upto(const SqliteHead& head) {
    SqliteQuery query(log_start_, head.key);
    if (!query.next()) return connection_->error();
    return query.is_null(0) ? head.seq : Seq{query.bits(0) - 1};
}

Result<std::vector<MessagePtr>> SqliteReader::backlog_from(
    std::int64_t room_key, Seq seq, std::size_t limit) {
    std::vector<MessagePtr> entries;
    SqliteQuery query(backlog_, room_key, clamped(seq.value), std::min(limit, log_page_max));
    while (query.next()) {
        const auto room = RoomId::parse(query.text(12));
        entries.push_back(room ? message_from(query, *room) : nullptr);
        if (!entries.back()) return damaged(*connection_);
    }
    if (!query.ok()) return connection_->error();
    return entries;
}

}  // namespace chatx::node
