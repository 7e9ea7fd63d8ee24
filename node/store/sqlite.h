#pragma once

#include <chatx/adapters.h>
#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "node/store/data_directory.h"
#include "node/store/dead_letters.h"
#include "node/store/log.h"
#include "node/store/sqlite_reader.h"
#include "node/store/sqlite_schema.h"
#include "node/store/sqlite_writer.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// How many reads may go on at once.
inline constexpr std::size_t sqlite_readers_max = 8;

/// The built-in store: log, archive and dead letters in one SQLite file, `chatx.db` in the data
/// directory.
///
/// One connection writes, others read. Writes (`append`, `truncate`, `begin_epoch`, `save`, `add`,
/// `remove`) are called by one thread at a time: the node's writer. Reads are called by any thread:
/// each takes one of `sqlite_readers_max` connections of its own for as long as it lasts, without
/// waiting; when all are taken the read is refused with `adapter_error`, so have no more reading
/// threads than that.
///
/// A write is durable when it returns. A read sees every write that returned before it began.
/// Nothing here throws.
class SqliteStore final : public Log, public Persistence, public DeadLetters {
public:
    struct Options {
        SqliteLimits limits;
        std::size_t dead_letters_max = 100'000;  // Beyond: refused, see DeadLetters::add.
        Duration busy_timeout =
            std::chrono::seconds(1);  // For programs that hold the file, such as a shell.
    };

    /// Makes or opens the store in a directory, and keeps other nodes out of it. The error is one
    /// line that says what to do. `entropy` is used for the id of a new store.
    static Result<std::unique_ptr<SqliteStore>> open(
        const std::filesystem::path& directory, Entropy& entropy, const Options& options);

    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;
    ~SqliteStore() override;

    /// 128 random bits, drawn when the store was made.
    [[nodiscard]] std::array<char, 16> id() const;

    // Log
    Result<Done> append(std::span<const MessagePtr> batch) override;
    Result<Done> truncate(std::span<const LogPosition> archived) override;
    Result<Epoch> begin_epoch(WallTime now) override;
    Result<MessageId> last_id() override;
    Result<StoredRoom> open_room(const RoomId& room, std::size_t recent_max) override;
    Result<std::vector<engine::Dedupe::Applied>> recent_sends(
        const RoomId& room, WallTime since, std::size_t places_max) override;
    Result<std::vector<MessagePtr>> backlog(
        const std::optional<LogPosition>& after, std::size_t limit) override;
    Result<std::vector<RoomHead>> rooms(std::string_view after, std::size_t limit) override;

    // Persistence
    Result<Done> save(std::span<const MessagePtr> batch) override;
    Result<HistoryPage> load(const RoomId& room, const HistoryRange& range) override;

    // DeadLetters
    Result<std::size_t> add(std::span<const DeadLetter> letters) override;
    Result<std::vector<DeadLetter>> list(std::uint64_t after, std::size_t limit) override;
    Result<std::optional<DeadLetter>> find(std::uint64_t id) override;
    Result<Done> remove(std::uint64_t id) override;
    Result<std::size_t> count() override;

private:
    struct ReaderSlot {
        std::atomic_flag taken;
        std::unique_ptr<SqliteReader> reader;  // Opened at its first use.
    };

    class ReaderLease;

    SqliteStore(
        std::unique_ptr<DataDirectory> directory,
        std::unique_ptr<SqliteWriter> writer,
        Options options);

    template <class Read>
    auto with_reader(Read&& read);

    Options options_;
    std::unique_ptr<DataDirectory> directory_;
    std::unique_ptr<SqliteWriter> writer_;
    std::array<ReaderSlot, sqlite_readers_max> readers_;
};

}  // namespace chatx::node
