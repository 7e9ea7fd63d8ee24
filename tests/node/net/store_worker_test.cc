#include "node/net/store_worker.h"

#include "tests/node/net/store_bench.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
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
        CHECK(chatx::test::seqs(committed.messages) == std::vector<std::uint64_t>{1, 2, 3});
    }
    bench.worker->stop();
    CHECK(bench.groups == std::vector<std::size_t>{6});
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
    CHECK(bench.failures == std::vector<std::string>{"dead_letters"});
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
    bench.worker->save(0, SaveBatch{1, chatx::test::messages(room_a, 1, 500)});
    bench.worker->read(0, ReadArchive{room_a, 1, {}});
    go->count_down();
    bench.worker->stop();
    CHECK(bench.store.logged(room_a).size() == 500);
    CHECK(bench.store.rows(room_a).size() == 500);
    (void)bench.answer<ArchiveRead>();
    CHECK(bench.answer<BatchSaved>().second.result);
}

TEST_CASE("a room waits to be opened once for each shard, for the latest who asked") {
    std::atomic<int> opened = 0;
    Bench bench([&](std::string_view call, auto) -> std::optional<Error> {
        if (call == "open_room") ++opened;
        return std::nullopt;
    });
    std::latch reached(1);
    std::latch go(1);
    bench.worker->on_reader([&] {
        reached.count_down();
        go.wait();
    });
    reached.wait();
    for (std::uint64_t attempt = 1; attempt <= 50; ++attempt)
        bench.worker->open(0, OpenRoom{room_a, attempt});
    bench.worker->open(1, OpenRoom{room_a, 7});
    go.count_down();
    const auto [shard, first] = bench.answer<RoomOpened>();
    CHECK(shard == 0);
    CHECK(first.attempt == 50);
    CHECK(bench.answer<RoomOpened>().second.attempt == 7);
    bench.worker->open(0, OpenRoom{room_a, 51});
    CHECK(bench.answer<RoomOpened>().second.attempt == 51);
    bench.worker->stop();
    CHECK(opened == 3);
}

TEST_CASE("rooms wait to be opened up to a bound") {
    Bench bench;
    std::latch reached(1);
    std::latch go(1);
    bench.worker->on_reader([&] {
        reached.count_down();
        go.wait();
    });
    reached.wait();
    for (std::size_t room = 0; room < StoreWorker::openings_max; ++room)
        bench.worker->open(0, OpenRoom{room_named(std::to_string(room)), 1});
    bench.worker->open(0, OpenRoom{room_a, 9});
    const auto refused = bench.answer<RoomOpened>().second;
    CHECK(refused.room == room_a);
    CHECK(refused.attempt == 9);
    CHECK(refused.state.error().reason == Reason::queue_overflow);
    go.count_down();
}

TEST_CASE("it is told how many dead letters there are, also when an operator changed it") {
    Bench bench;
    bench.worker->keep(GiveUp{{message_ptr(room_a, 1), message_ptr(room_a, 2)}, broken(), 6});
    bench.worker->on_writer([&] {
        DeadLetter letter;
        letter.message = message_ptr(room_a, 3);
        CHECK(bench.store.add(std::vector{letter}));
    });
    bench.worker->stop();
    CHECK(bench.letters == 3);
}

TEST_CASE("reading does not wait for writing") {
    Bench bench;
    const auto go = bench.pause_writer();
    bench.worker->read(0, ReadArchive{room_a, 1, {}});
    CHECK(bench.answer<ArchiveRead>().second.page);
    go->count_down();
}

}  // namespace chatx::node
