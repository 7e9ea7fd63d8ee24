#include "node/net/store_worker.h"

#include "tests/support/memory_store.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;
using test::message_ptr;
using test::room_named;

const RoomId room_a = room_named("a");
const RoomId room_b = room_named("b");

/// A worker over a store in memory, and what it answered.
class Bench {
public:
    using Fails = decltype(test::MemoryStore::fails);

    explicit Bench(Fails fails = {}, bool retry_appends = false) {
        store.fails = std::move(fails);
        worker.emplace(
            StoreWorker::Stores{
                .log = store,
                .archive = store,
                .dead_letters = store,
                .recent_max = 10,
                .retry_appends = retry_appends},
            [this](std::uint16_t shard, ShardMessage message) {
                const std::lock_guard lock(mutex_);
                answers_.emplace_back(shard, std::move(message));
                changed_.notify_all();
            },
            StoreWorker::Observer{
                .appended =
                    [this](Duration /*took*/, std::size_t entries) {
                        const std::lock_guard lock(mutex_);
                        groups.push_back(entries);
                    },
                .failed =
                    [this](std::string_view what, const Error& /*error*/) {
                        const std::lock_guard lock(mutex_);
                        failures.emplace_back(what);
                    },
                .down = [this](const Error& error) { turn("down: " + error.detail); },
                .up = [this] { turn("up"); }});
    }

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    ~Bench() { worker.reset(); }  // It answers until it has ended.

    /// The oldest answer of a kind. Waits for it.
    template <class What>
    std::pair<std::uint16_t, What> answer() {
        std::unique_lock lock(mutex_);
        auto found = answers_.end();
        const bool came = changed_.wait_for(lock, 10s, [&] {
            found = std::find_if(answers_.begin(), answers_.end(), [](const auto& answer) {
                return std::holds_alternative<What>(answer.second);
            });
            return found != answers_.end();
        });
        REQUIRE(came);
        auto [shard, message] = std::move(*found);
        answers_.erase(found);
        return {shard, std::get<What>(std::move(message))};
    }

    /// Waits until the log was told to be down or up so often, and returns what was said.
    std::vector<std::string> turns(std::size_t count) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(lock, 10s, [&] { return turns_.size() >= count; }));
        return turns_;
    }

    /// Holds the writer up, so that what is handed over meanwhile comes to it together.
    std::shared_ptr<std::latch> pause_writer() {
        auto reached = std::make_shared<std::latch>(1);
        auto go = std::make_shared<std::latch>(1);
        worker->on_writer([reached, go] {
            reached->count_down();
            go->wait();
        });
        reached->wait();
        return go;
    }

    test::MemoryStore store;
    std::vector<std::size_t> groups;
    std::vector<std::string> failures;
    std::optional<StoreWorker> worker;

private:
    void turn(std::string what) {
        const std::lock_guard lock(mutex_);
        turns_.push_back(std::move(what));
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::uint16_t, ShardMessage>> answers_;
    std::vector<std::string> turns_;
};

Error broken() {
    return Error{Reason::adapter_error, "broken", {}};
}

}  // namespace

TEST_CASE(
    "entries that wait together go into one transaction, and each shard hears of its own in "
    "order") {
    Bench bench;
    const auto go = bench.pause_writer();
    for (std::uint64_t seq = 1; seq <= 3; ++seq) {
        bench.worker->append(0, message_ptr(room_a, seq));
        bench.worker->append(1, message_ptr(room_b, seq));
    }
    go->count_down();
    for (const std::uint16_t shard : {std::uint16_t{0}, std::uint16_t{1}}) {
        const auto [to, committed] = bench.answer<Committed>();
        CHECK(to == shard);
        CHECK(test::seqs(committed.messages) == std::vector<std::uint64_t>{1, 2, 3});
    }
    bench.worker->stop();
    CHECK(bench.groups == std::vector<std::size_t>{6});
}

TEST_CASE("one room that cannot be stored fails no other one, and hears its new epoch") {
    Bench bench;
    const auto go = bench.pause_writer();
    bench.worker->append(0, message_ptr(room_a, 1));
    bench.worker->append(1, message_ptr(room_b, 7));  // Not behind its head.
    bench.worker->append(1, message_ptr(room_b, 8));
    go->count_down();
    const auto [to, committed] = bench.answer<Committed>();
    CHECK(to == 0);
    CHECK(committed.messages.size() == 1);
    const auto [shard, failed] = bench.answer<AppendFailed>();
    CHECK(shard == 1);
    CHECK(failed.room == room_b);
    CHECK(failed.entries == 2);
    CHECK(failed.epoch > Epoch{});
    CHECK(bench.store.logged(room_b).empty());
}

TEST_CASE(
    "an epoch is begun anew until the store can, and what comes meanwhile is lost with the rest") {
    std::atomic<int> begins = 0;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "append") return broken();
        if (call == "begin_epoch" && ++begins <= 2) return broken();
        return std::nullopt;
    });
    bench.worker->append(0, message_ptr(room_a, 1));
    while (begins == 0)
        std::this_thread::yield();
    bench.worker->append(0, message_ptr(room_a, 2));
    const auto failed = bench.answer<AppendFailed>().second;
    CHECK(failed.entries == 2);
    CHECK(begins == 3);
}

TEST_CASE("a room that failed is stored again under its new epoch") {
    std::atomic<bool> works = false;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "append" && !works) return broken();
        return std::nullopt;
    });
    bench.worker->append(0, message_ptr(room_a, 1));
    const Epoch epoch = bench.answer<AppendFailed>().second.epoch;
    works = true;
    bench.worker->append(0, message_ptr(room_a, 1, epoch));
    CHECK(bench.answer<Committed>().second.messages.size() == 1);
}

TEST_CASE("entries that are applied already are tried until the log has them, all and in order") {
    std::atomic<int> left = 3;
    Bench bench(
        [&](std::string_view call, auto) -> std::optional<Error> {
            if (call == "append" && left > 0 && left-- > 0) return broken();
            return std::nullopt;
        },
        true);
    bench.worker->append(0, message_ptr(room_a, 1));
    while (left > 1)
        std::this_thread::yield();
    bench.worker->append(0, message_ptr(room_a, 2));
    std::vector<std::uint64_t> stored;
    while (stored.size() < 2) {
        for (const auto seq : test::seqs(bench.answer<Committed>().second.messages)) {
            stored.push_back(seq);
        }
    }
    CHECK(stored == std::vector<std::uint64_t>{1, 2});
    CHECK(test::seqs(bench.store.logged(room_a)) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("pages to read wait up to a bound, and a room to open goes before them") {
    Bench bench;
    std::latch reached(1);
    std::latch go(1);
    bench.worker->on_reader([&] {
        reached.count_down();
        go.wait();
    });
    reached.wait();
    for (std::size_t i = 0; i < StoreWorker::reads_max; ++i)
        bench.worker->read(0, ReadArchive{room_a, i, {}});
    bench.worker->read(0, ReadArchive{room_b, 1, {}});
    const auto refused = bench.answer<ArchiveRead>().second;
    CHECK(refused.room == room_b);
    CHECK(refused.page.error().reason == Reason::queue_overflow);

    bench.worker->open(0, OpenRoom{room_b});
    go.count_down();
    CHECK(bench.answer<RoomOpened>().second.state);
    CHECK(bench.answer<ArchiveRead>().second.page);
}

TEST_CASE("what became no dead letter stays in the log") {
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "add") return broken();
        return std::nullopt;
    });
    for (std::uint64_t seq = 1; seq <= 3; ++seq)
        bench.worker->append(0, message_ptr(room_a, seq));
    bench.worker->keep(GiveUp{{message_ptr(room_a, 2)}, broken(), 5});
    bench.worker->truncate(TruncateLog{{{room_a, Seq{3}}}});
    bench.worker->stop();
    CHECK(bench.store.open_room(room_a, 10)->archived == Seq{1});
    CHECK(bench.failures == std::vector<std::string>{"keeping dead letters"});
}

TEST_CASE("a store that throws has failed like any other") {
    Bench bench([](std::string_view call, auto) -> std::optional<Error> {
        if (call == "begin_epoch" || call == "truncate") return std::nullopt;
        if (call == "save") throw 7;  // NOLINT(hicpp-exception-baseclass): anything may come.
        throw std::runtime_error("out of order");
    });
    bench.worker->append(0, message_ptr(room_a, 1));
    CHECK(bench.answer<AppendFailed>().second.entries == 1);
    bench.worker->save(0, SaveBatch{1, {message_ptr(room_a, 1)}});
    CHECK_FALSE(bench.answer<BatchSaved>().second.result);
    bench.worker->open(0, OpenRoom{room_a});
    CHECK(bench.answer<RoomOpened>().second.state.error().detail == "out of order");
    bench.worker->read(0, ReadArchive{room_a, 5, {}});
    const auto read = bench.answer<ArchiveRead>().second;
    CHECK(read.ticket == 5);
    CHECK(read.page.error().reason == Reason::adapter_error);
}

TEST_CASE("rooms are opened, pages read and batches saved for the shard that asked") {
    Bench bench;
    bench.worker->append(2, message_ptr(room_a, 1));
    CHECK(bench.answer<Committed>().first == 2);
    bench.worker->save(3, SaveBatch{9, {message_ptr(room_a, 1)}});
    const auto [saver, saved] = bench.answer<BatchSaved>();
    CHECK(saver == 3);
    CHECK(saved.batch == 9);
    CHECK(saved.result);
    bench.worker->open(4, OpenRoom{room_a});
    const auto [opener, opened] = bench.answer<RoomOpened>();
    CHECK(opener == 4);
    CHECK(opened.state->seq == Seq{1});
    bench.worker->read(5, ReadArchive{room_a, 6, {}});
    const auto [reader, read] = bench.answer<ArchiveRead>();
    CHECK(reader == 5);
    CHECK(read.page->messages.size() == 1);
}

TEST_CASE("what was given up on becomes dead letters, with the reason") {
    Bench bench;
    bench.worker->keep(GiveUp{{message_ptr(room_a, 1), message_ptr(room_a, 2)}, broken(), 6});
    bench.worker->stop();
    const auto letters = bench.store.list(0, 10).value();
    REQUIRE(letters.size() == 2);
    CHECK(letters[0].error == "adapter_error: broken");
    CHECK(letters[0].attempts == 6);
    CHECK(letters[1].message->seq == Seq{2});
}

TEST_CASE("the log forgets in the end, at the latest when the worker stops") {
    Bench bench;
    bench.worker->truncate(TruncateLog{{{room_a, Seq{3}}, {room_b, Seq{4}}}});
    bench.worker->stop();
    CHECK(bench.store.truncated(room_a) == Seq{3});
    CHECK(bench.store.truncated(room_b) == Seq{4});
}

TEST_CASE("stopping finishes everything that was handed over") {
    Bench bench;
    const auto go = bench.pause_writer();
    for (std::uint64_t seq = 1; seq <= 500; ++seq)
        bench.worker->append(0, message_ptr(room_a, seq));
    bench.worker->save(0, SaveBatch{1, test::messages(room_a, 1, 500)});
    bench.worker->read(0, ReadArchive{room_a, 1, {}});
    go->count_down();
    bench.worker->stop();
    CHECK(bench.store.logged(room_a).size() == 500);
    CHECK(bench.store.rows(room_a).size() == 500);
    (void)bench.answer<ArchiveRead>();
    CHECK(bench.answer<BatchSaved>().second.result);
}

TEST_CASE("stopping does not wait for a store that has failed for good") {
    Bench bench([](std::string_view call, auto) -> std::optional<Error> {
        if (call == "append" || call == "begin_epoch") return broken();
        return std::nullopt;
    });
    bench.worker->append(0, message_ptr(room_a, 1));
    bench.worker->stop();
    CHECK(bench.turns(1) == std::vector<std::string>{"down: broken"});
    CHECK(bench.failures.empty());
}

TEST_CASE("a log that takes neither entries nor a new epoch is down until it does, told once") {
    std::atomic<bool> works = false;
    std::atomic<int> tries = 0;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (works) return std::nullopt;
        if (call == "begin_epoch") ++tries;
        return broken();
    });
    bench.worker->append(0, message_ptr(room_a, 1));
    bench.worker->append(1, message_ptr(room_b, 1));
    CHECK(bench.turns(1) == std::vector<std::string>{"down: broken"});
    bench.worker->save(0, SaveBatch{1, {message_ptr(room_a, 1)}});
    CHECK_FALSE(bench.answer<BatchSaved>().second.result);
    while (tries < 3)
        std::this_thread::yield();
    works = true;
    CHECK(bench.turns(2) == std::vector<std::string>{"down: broken", "up"});
    (void)bench.answer<AppendFailed>();
    (void)bench.answer<AppendFailed>();
    bench.worker->stop();
    CHECK(bench.turns(2).size() == 2);
    CHECK(bench.failures.empty());
}

TEST_CASE("a failure after which the log goes on is told, and the log is not down") {
    std::atomic<bool> works = false;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "append" && !works) return broken();
        return std::nullopt;
    });
    const auto go = bench.pause_writer();
    for (const std::string_view room : {"a", "b", "c"})
        bench.worker->append(0, message_ptr(room_named(room), 1));
    go->count_down();
    for (int room = 0; room < 3; ++room)
        (void)bench.answer<AppendFailed>();
    bench.worker->stop();
    CHECK(bench.turns(0).empty());
    CHECK(bench.failures == std::vector<std::string>{"appending to the log"});
}

TEST_CASE("where entries are tried until the log has them, it is down as long as it takes none") {
    std::atomic<bool> works = false;
    Bench bench(
        [&](std::string_view call, auto) -> std::optional<Error> {
            if (call == "append" && !works) return broken();
            return std::nullopt;
        },
        true);
    bench.worker->append(0, message_ptr(room_a, 1));
    bench.worker->append(0, message_ptr(room_b, 1));
    CHECK(bench.turns(1) == std::vector<std::string>{"down: broken"});
    works = true;
    CHECK(bench.turns(2) == std::vector<std::string>{"down: broken", "up"});
    CHECK(bench.answer<Committed>().second.messages.size() == 1);
}

TEST_CASE("one room whose entries do not follow does not make the log down") {
    Bench bench({}, true);
    bench.worker->append(0, message_ptr(room_b, 7));
    bench.worker->append(0, message_ptr(room_a, 1));
    (void)bench.answer<Committed>();
    bench.worker->stop();
    CHECK(bench.turns(0).empty());
    CHECK(bench.failures == std::vector<std::string>{"appending to the log"});
}

TEST_CASE("reading does not wait for writing") {
    Bench bench;
    const auto go = bench.pause_writer();
    bench.worker->read(0, ReadArchive{room_a, 1, {}});
    CHECK(bench.answer<ArchiveRead>().second.page);
    go->count_down();
}

}  // namespace chatx::node
