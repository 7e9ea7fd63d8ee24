#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "node/store/dead_letters.h"
#include "node/store/log.h"
#include "node/store/sqlite_connection.h"
#include "node/store/sqlite_records.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// The reading side of the store: one connection that cannot write. Used by one thread at a time;
/// any number of readers and the writer work side by side, none waits for another. Each call sees
/// one state of the file, that of the last commit before it. The functions are those of Log,
/// Persistence and DeadLetters.
class SqliteReader {
public:
    static Result<std::unique_ptr<SqliteReader>> open(
        const std::string& path, Duration busy_timeout);

    Result<HistoryPage> load(const RoomId& room, const HistoryRange& range);
    Result<MessageId> last_id();
    Result<StoredRoom> open_room(const RoomId& room, std::size_t recent_max);
    Result<std::vector<engine::Dedupe::Applied>> recent_sends(
        const RoomId& room, WallTime since, std::size_t places_max);
    Result<std::vector<MessagePtr>> backlog(
        const std::optional<LogPosition>& after, std::size_t limit);
    Result<std::vector<RoomHead>> rooms(std::string_view after, std::size_t limit);
    Result<std::vector<DeadLetter>> dead_letters(std::uint64_t after, std::size_t limit);
    Result<std::optional<DeadLetter>> dead_letter(std::uint64_t id);
    Result<std::size_t> dead_letter_count();

private:
    explicit SqliteReader(std::unique_ptr<SqliteConnection> connection);

    Result<HistoryPage> load_page(
        const RoomId& room, std::int64_t room_key, const HistoryRange& range);
    Result<std::optional<Seq>> find_anchor(std::int64_t room_key, MessageId id);
    template <class... Parameters>
    Result<std::vector<MessagePtr>> read_messages(
        SqliteStatement& statement, const RoomId& room, Parameters... parameters);
    Result<std::vector<engine::EpochStart>> epochs_of(std::int64_t room_key);
    Result<std::vector<MessagePtr>> tail_of(
        const RoomId& room, const SqliteHead& head, std::size_t recent_max);
    Result<Done> add_dead_sends(
        std::vector<engine::Dedupe::Applied>& sends, const RoomId& room, WallTime since, Seq after);
    Result<Seq> archived_upto(const SqliteHead& head);
    Result<std::vector<MessagePtr>> backlog_from(std::int64_t room_key, Seq seq, std::size_t limit);

    std::unique_ptr<SqliteConnection> connection_;
    SqliteStatement head_by_name_;
    SqliteStatement heads_after_;
    SqliteStatement anchor_;
    SqliteStatement last_id_;
    SqliteStatement oldest_first_;
    SqliteStatement latest_first_;
    SqliteStatement tail_;
    SqliteStatement log_start_;
    SqliteStatement epochs_;
    SqliteStatement backlog_;
    SqliteStatement letters_after_;
    SqliteStatement letters_of_room_;
    SqliteStatement letter_by_id_;
    SqliteStatement letter_count_;
};

}  // namespace chatx::node
