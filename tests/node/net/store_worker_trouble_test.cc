#include "node/net/store_worker.h"
#include "tests/node/net/store_bench.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace chatx::node {

namespace {

using chatx::test::message_ptr;
using chatx::test::room_named;
using Bench = test::StoreBench;
using test::broken;

const RoomId room_a = room_named("a");
const RoomId room_b = room_named("b");

}  // namespace

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
        for (const auto seq : chatx::test::seqs(bench.answer<Committed>().second.messages)) {
            stored.push_back(seq);
        }
    }
    CHECK(stored == std::vector<std::uint64_t>{1, 2});
    CHECK(chatx::test::seqs(bench.store.logged(room_a)) == std::vector<std::uint64_t>{1, 2});
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
    CHECK(bench.failures == std::vector<std::string>{"append"});
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
    CHECK(bench.failures == std::vector<std::string>{"append"});
}

TEST_CASE("a log that is down is asked once for all rooms, and not room by room") {
    std::atomic<int> asked = 0;
    for (const bool retry_appends : {false, true}) {
        Bench bench(
            [&](std::string_view call, auto) -> std::optional<Error> {
                if (call == "append" || call == "begin_epoch") ++asked;
                return broken();
            },
            retry_appends);
        const auto go = bench.pause_writer();
        for (int room = 0; room < 300; ++room) {
            for (std::uint64_t seq = 1; seq <= 20; ++seq)
                bench.worker->append(0, message_ptr(room_named(std::to_string(room)), seq));
        }
        asked = 0;
        go->count_down();
        (void)bench.turns(1);
        CHECK(asked == 2);
        bench.worker->stop();
        CHECK(asked <= 5);
    }
}

TEST_CASE("entries that failed are all answered, however many groups they came in") {
    std::atomic<bool> works = false;
    for (const bool whole : {false, true}) {
        works = false;
        Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
            if (works) return std::nullopt;
            if (call == "append" && whole) return broken();
            if (call == "append") return Error{Reason::room_unavailable, "does not follow", {}};
            if (call == "begin_epoch") return broken();
            return std::nullopt;
        });
        const auto go = bench.pause_writer();
        const std::vector rooms{room_a, room_b, room_named("c")};
        for (std::uint64_t seq = 1; seq <= 2048; ++seq) {
            for (const RoomId& room : rooms)
                bench.worker->append(0, message_ptr(room, seq));
        }
        go->count_down();
        (void)bench.turns(1);
        works = true;
        for (std::size_t room = 0; room < rooms.size(); ++room)
            CHECK(bench.answer<AppendFailed>().second.entries == 2048);
        bench.worker->stop();
        CHECK(bench.backlog[0] == 0);
    }
}

TEST_CASE("entries that failed in many groups are stored in order when the log works again") {
    std::atomic<bool> works = false;
    Bench bench(
        [&](std::string_view call, auto) -> std::optional<Error> {
            if (call == "append" && !works) return broken();
            return std::nullopt;
        },
        true);
    const auto go = bench.pause_writer();
    for (std::uint64_t seq = 1; seq <= 5000; ++seq) {
        bench.worker->append(0, message_ptr(room_a, seq));
        bench.worker->append(1, message_ptr(room_b, seq));
    }
    go->count_down();
    (void)bench.turns(1);
    works = true;
    (void)bench.turns(2);
    bench.worker->stop();
    CHECK(bench.store.logged(room_a).size() == 5000);
    CHECK(bench.store.logged(room_b).size() == 5000);
    CHECK(*std::max_element(bench.groups.begin(), bench.groups.end()) == 4096);
    CHECK(bench.backlog == std::map<std::uint16_t, std::int64_t>{{0, 0}, {1, 0}});
}

TEST_CASE("one room that the log cannot store keeps it from storing no other one") {
    Bench bench(
        [&](std::string_view call, std::span<const MessagePtr> batch) -> std::optional<Error> {
            if (call != "append") return std::nullopt;
            const bool bad = std::ranges::any_of(
                batch, [](const MessagePtr& message) { return message->room == room_a; });
            return bad ? std::optional(broken()) : std::nullopt;
        },
        true);
    const auto go = bench.pause_writer();
    for (const std::string_view room : {"a", "b", "c"})
        bench.worker->append(0, message_ptr(room_named(room), 1));
    go->count_down();
    (void)bench.answer<Committed>();
    (void)bench.answer<Committed>();
    CHECK(bench.turns(1) == std::vector<std::string>{"down: broken"});
}

TEST_CASE("what the log could not forget it forgets later") {
    std::atomic<int> left = 2;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "truncate" && left > 0 && left-- > 0) return broken();
        return std::nullopt;
    });
    bench.worker->truncate(TruncateLog{{{room_a, Seq{3}}}});
    bench.worker->truncate(TruncateLog{{{room_a, Seq{2}}, {room_b, Seq{4}}}});
    while (bench.store.truncated(room_b) != Seq{4})
        std::this_thread::yield();
    CHECK(bench.store.truncated(room_a) == Seq{3});
    bench.worker->stop();
    CHECK(bench.errors[StoreOperation::truncate] == 2);
}

TEST_CASE("the log forgets nothing of a room that still has to store what comes before") {
    std::atomic<bool> works = false;
    Bench bench(
        [&](std::string_view call, auto) -> std::optional<Error> {
            if (call == "append" && !works) return broken();
            return std::nullopt;
        },
        true);
    bench.worker->append(0, message_ptr(room_a, 1));
    (void)bench.turns(1);
    bench.worker->truncate(TruncateLog{{{room_a, Seq{1}}, {room_b, Seq{4}}}});
    while (bench.store.truncated(room_b) != Seq{4})
        std::this_thread::yield();
    CHECK(bench.store.truncated(room_a) == Seq{});
    works = true;
    (void)bench.answer<Committed>();
    bench.worker->stop();
    CHECK(bench.store.truncated(room_a) == Seq{1});
}

TEST_CASE("what waits to be forgotten is bounded") {
    std::atomic<bool> works = false;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "truncate" && !works) return broken();
        return std::nullopt;
    });
    TruncateLog archived;
    for (std::size_t room = 0; room < StoreWorker::truncations_max; ++room)
        archived.rooms.emplace_back(room_named(std::to_string(room)), Seq{1});
    archived.rooms.emplace_back(room_a, Seq{1});
    archived.rooms.emplace_back(room_named("0"), Seq{2});
    bench.worker->truncate(archived);
    works = true;
    bench.worker->stop();
    CHECK(bench.store.truncated(room_a) == Seq{});
    CHECK(bench.store.truncated(room_named("0")) == Seq{2});
}

TEST_CASE("every call that failed is counted, also those that are not told") {
    Bench bench([](std::string_view /*call*/, auto) { return broken(); });
    bench.worker->append(0, message_ptr(room_a, 1));
    (void)bench.turns(1);
    bench.worker->save(0, SaveBatch{1, {message_ptr(room_a, 1)}});
    bench.worker->keep(GiveUp{{message_ptr(room_a, 1)}, broken(), 6});
    bench.worker->truncate(TruncateLog{{{room_b, Seq{1}}}});
    bench.worker->open(0, OpenRoom{room_a});
    bench.worker->read(0, ReadArchive{room_a, 1, {}});
    bench.worker->stop();
    CHECK(bench.failures == std::vector<std::string>{"open", "read"});
    CHECK(bench.errors[StoreOperation::append] == 1);
    CHECK(bench.errors[StoreOperation::begin_epoch] >= 2);
    CHECK(bench.errors[StoreOperation::save] == 1);
    CHECK(bench.errors[StoreOperation::dead_letters] == 1);
    CHECK(bench.errors[StoreOperation::truncate] >= 1);
    CHECK(bench.errors[StoreOperation::open] == 1);
    CHECK(bench.errors[StoreOperation::read] == 1);
    CHECK(bench.backlog[0] == 1);
}

}  // namespace chatx::node
