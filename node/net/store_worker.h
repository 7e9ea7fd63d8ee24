#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>

#include "node/messages.h"
#include "node/store/dead_letters.h"
#include "node/store/log.h"
#include "node/store_operation.h"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

/// The threads on which the store blocks: one writes, one reads. All entries that are waiting when
/// the writer comes round go into one transaction (group commit), so that under load one fsync
/// serves many messages.
///
/// The writer's queue is bounded by those who fill it: a room's queue, the log backlog of a shard,
/// one batch of delivery. Of pages to read at most `reads_max` wait, of rooms to open
/// `openings_max`; more are refused with `queue_overflow`.
///
/// A store that hangs or is locked costs each turn of the writer a bounded number of its timeouts,
/// however many rooms have something to store: what it refuses as a whole is not tried room by
/// room.
class StoreWorker {
public:
    static constexpr std::size_t reads_max = 1024;
    static constexpr std::size_t openings_max = 100'000;

    /// Rooms of which the log has yet to forget something, while it cannot. Beyond it the log keeps
    /// the entries of a further one until more of that room is archived, or the next start.
    static constexpr std::size_t truncations_max = 100'000;

    struct Stores {
        Log& log;
        Persistence& archive;
        DeadLetters& dead_letters;
        std::size_t recent_max = 1024;  // Messages that a room takes into memory when it is opened.
        engine::Dedupe::Options retries{};  // Which sends it is told of: RoomOptions::dedupe.

        /// What becomes of entries that could not be stored. True where they are already applied
        /// (`ack = local`): they are tried again until the log has them. False: they are given up,
        /// and their room goes on under a new epoch.
        bool retry_appends = false;
    };

    /// What the store says of its work, for log and metrics. Called on the store's threads.
    struct Observer {
        std::function<void(Duration took, std::size_t entries)> appended;

        /// A call failed. Each one is counted.
        std::function<void(StoreOperation operation)> counted;

        /// A failure for people to read. Writes that fail while the log is down are no news and not
        /// told.
        std::function<void(StoreOperation operation, const Error& error)> failed;

        /// So many more entries of a shard wait for the log, or fewer. Called by the shard too.
        std::function<void(std::uint16_t shard, std::int64_t change)> log_backlog;

        /// So many more dead letters are kept, or fewer; first, how many there are.
        std::function<void(std::int64_t change)> dead_letters;

        /// The log is down: it takes neither entries nor a new epoch. What waits for it is tried
        /// again until it is `up`. Each is told once.
        std::function<void(const Error& error)> down;
        std::function<void()> up;
    };

    /// Answers go to `reply`, which any thread may call. All arguments outlive the worker.
    using Reply = std::function<void(std::uint16_t shard, ShardMessage message)>;

    StoreWorker(Stores stores, Reply reply, Observer observer);
    StoreWorker(const StoreWorker&) = delete;
    StoreWorker& operator=(const StoreWorker&) = delete;
    ~StoreWorker();

    // Work for a shard. Any thread.
    void append(std::uint16_t shard, MessagePtr message);
    void save(std::uint16_t shard, SaveBatch batch);
    void truncate(const TruncateLog& archived);
    void keep(GiveUp letters);

    /// A request for a room that waits to be opened for the same shard takes the place of that
    /// earlier one: only the later is answered.
    void open(std::uint16_t shard, OpenRoom request);
    void read(std::uint16_t shard, ReadArchive request);

    /// Runs a job of the operator's on the thread that writes, or on the one that reads.
    void on_writer(std::function<void()> job);
    void on_reader(std::function<void()> job);

    /// Finishes all that was handed over, then ends the threads.
    void stop();

private:
    struct Append {
        std::uint16_t shard;
        MessagePtr message;
    };

    using Job = std::function<void()>;
    using Opening = std::pair<std::uint16_t, RoomId>;

    void write_loop();
    void read_loop();
    void write(Job job);
    Job next_read();
    void open_now(std::uint16_t shard, const OpenRoom& request);
    void commit(std::vector<Append> appends);
    std::span<const Append> set_followers_aside(std::span<Append> group);
    void set_aside(std::span<const Append> appends);
    bool commit_or_set_aside(std::span<const Append> group);
    bool commit_by_room(std::span<const Append> group, const Error& trouble);
    Result<Done> commit_group(std::span<const Append> group);
    void recover();
    void retry_appends();
    Result<Done> retry(std::vector<Append>& appends);
    void renew_epochs();
    void set_down(const std::optional<Error>& trouble);
    void write_failed(StoreOperation operation, const Error& error);
    void note_failure(StoreOperation operation, const Error& error);
    void tell_failures();
    void keep_letters(const GiveUp& letters);
    void tell_letters();
    void note_archived(const TruncateLog& archived);
    void forget_archived();
    [[nodiscard]] bool reads_full();

    Log& log_;
    Persistence& archive_;
    DeadLetters& dead_letters_;
    std::size_t recent_max_;
    engine::Dedupe::Options retries_;
    bool retry_appends_;
    Reply reply_;
    Observer observer_;

    std::mutex mutex_;
    std::condition_variable write_changed_;
    std::condition_variable read_changed_;
    std::vector<Append> appends_;
    std::deque<Job> write_jobs_;
    std::deque<Opening> openings_;  // In order of their first requests, each once.
    std::map<Opening, std::uint64_t> opening_attempts_;  // Their latest.
    std::deque<Job> read_jobs_;
    bool stopping_ = false;

    // The writer's own.
    std::map<RoomId, Seq> archived_;  // What the log may forget, and has not yet.
    std::map<RoomId, std::vector<Append>>
        failed_;                     // Not stored, in order; what comes for the room joins them.
    std::optional<RoomId> retried_;  // The one of them that was tried last.
    bool down_ = false;              // The last attempt to do something about `failed_` failed too.
    std::vector<std::pair<StoreOperation, Error>> failures_;  // Of this turn, each once.
    bool letters_changed_ = true;                             // Their number may have.
    std::size_t letters_told_ = 0;
    std::map<RoomId, Seq>
        unkept_;  // The first message that is neither archived nor a dead letter: the log keeps it.
    std::thread writer_;
    std::thread reader_;
};

}  // namespace chatx::node
