#include "node/net/store_worker.h"
#include "node/store/sqlite.h"
#include "tests/node/store/store_support.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;
using namespace test;  // NOLINT(google-build-using-namespace): the store's own.

const RoomId lobby = room_named("lobby");

/// The log of a store that takes no entries for a while; all else works.
class BrokenLog final : public Log {
public:
    explicit BrokenLog(Log& log) : log_(log) {}

    std::atomic<bool> broken = false;

    Result<Done> append(std::span<const MessagePtr> batch) override {
        if (broken) return Error{Reason::adapter_error, "broken", {}};
        return log_.append(batch);
    }

    Result<Done> truncate(std::span<const LogPosition> archived) override {
        return log_.truncate(archived);
    }

    Result<Epoch> begin_epoch(WallTime now) override { return log_.begin_epoch(now); }

    Result<MessageId> last_id() override { return log_.last_id(); }

    Result<StoredRoom> open_room(const RoomId& room, std::size_t recent_max) override {
        return log_.open_room(room, recent_max);
    }

    Result<std::vector<engine::Dedupe::Applied>> recent_sends(
        const RoomId& room, WallTime since, std::size_t places_max) override {
        return log_.recent_sends(room, since, places_max);
    }

    Result<std::vector<MessagePtr>> backlog(
        const std::optional<LogPosition>& after, std::size_t limit) override {
        return log_.backlog(after, limit);
    }

    Result<std::vector<RoomHead>> rooms(std::string_view after, std::size_t limit) override {
        return log_.rooms(after, limit);
    }

private:
    Log& log_;
};

/// A worker that keeps trying, over a real store, and what it answered.
class Bench {
public:
    Bench()
        : worker(
            {.log = log, .archive = *store, .dead_letters = *store, .retry_appends = true},
            [this](std::uint16_t, ShardMessage message) { take(std::move(message)); },
            {.appended = [](Duration, std::size_t) {},
             .counted = [](StoreOperation) {},
             .failed = [](StoreOperation, const Error&) {},
             .log_backlog = [](std::uint16_t, std::int64_t) {},
             .dead_letters = [](std::int64_t) {},
             .down = [this](const Error&) { turn(true); },
             .up = [this] { turn(false); }}) {}

    void wait_committed(std::size_t count) {
        wait([&] { return committed_ >= count; });
    }

    void wait_saved(std::size_t count) {
        wait([&] { return saved_ >= count; });
    }

    void wait_down() {
        wait([&] { return down_; });
    }

    ScratchDirectory scratch;
    std::unique_ptr<SqliteStore> store = open_store(scratch.path());
    BrokenLog log{*store};

private:
    template <class Ready>
    void wait(Ready&& ready) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 10s, ready));
    }

    void take(ShardMessage message) {
        const std::lock_guard lock(mutex_);
        if (const auto* committed = std::get_if<Committed>(&message))
            committed_ += committed->messages.size();
        if (const auto* saved = std::get_if<BatchSaved>(&message)) saved_ += saved->result ? 1 : 0;
        changed_.notify_all();
    }

    void turn(bool down) {
        const std::lock_guard lock(mutex_);
        down_ = down;
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t committed_ = 0;
    std::size_t saved_ = 0;
    bool down_ = false;

public:
    StoreWorker worker;  // Last: it answers until it has ended.
};

}  // namespace

TEST_CASE("an archive that works while the log does not leaves the log able to catch up") {
    Bench bench;
    const auto entries = messages(lobby, 1, 6);
    for (std::size_t i = 0; i < 2; ++i)
        bench.worker.append(0, entries[i]);
    bench.wait_committed(2);
    bench.log.broken = true;
    for (std::size_t i = 2; i < 5; ++i)
        bench.worker.append(0, entries[i]);
    bench.wait_down();
    bench.worker.save(0, SaveBatch{1, {entries[0], entries[1], entries[2]}});
    bench.worker.keep(GiveUp{{entries[3]}, Error{Reason::adapter_error, "broken", {}}, 6});
    bench.worker.save(0, SaveBatch{2, {entries[4]}});
    bench.worker.truncate(TruncateLog{{{lobby, Seq{5}}}});
    bench.wait_saved(2);
    CHECK(bench.store->rooms("", 1)->at(0).seq == Seq{5});  // The archive is ahead.

    bench.log.broken = false;
    bench.wait_committed(5);
    bench.worker.append(0, entries[5]);
    bench.wait_committed(6);
    bench.worker.stop();
    const auto room = read_room(*bench.store, lobby);
    CHECK(room.state.seq == Seq{6});
    CHECK(room.archived == Seq{5});
    CHECK(bench.store->count() == Result<std::size_t>(1));
}

}  // namespace chatx::node
