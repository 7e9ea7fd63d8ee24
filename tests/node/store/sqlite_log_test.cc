#include "node/store/sqlite.h"
#include "tests/node/store/store_support.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.

const RoomId lobby = room_named("lobby");
const RoomId kitchen = room_named("kitchen");
constexpr Epoch first_reign{0, 1, 0};
constexpr Epoch second_reign{0, 2, 0};

std::vector<MessagePtr> joined(
    std::vector<MessagePtr> first, const std::vector<MessagePtr>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// Said at a place that another message has.
MessagePtr another_at(std::uint64_t seq, Epoch epoch) {
    auto message = message_at(lobby, seq, epoch);
    message.id = MessageId{~message.id.value};
    return shared(message);
}

void check_refused(const Result<Done>& appended) {
    REQUIRE_FALSE(appended);
    CHECK(appended.error().reason == Reason::room_unavailable);
    CHECK_FALSE(appended.error().detail.empty());
}

TEST_CASE("a room never heard of has the empty state") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto room = read_room(*store, lobby);
    CHECK(room.state.epoch == Epoch{});
    CHECK(room.state.seq == Seq{});
    CHECK(room.state.last_id == MessageId{});
    CHECK(room.state.epochs.empty());
    CHECK(room.state.recent.empty());
    CHECK(room.archived == Seq{});
}

TEST_CASE("the state of a room is what was appended, also after a restart") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    const auto entries =
        joined(messages(lobby, 1, 3, first_reign), messages(lobby, 4, 5, second_reign));
    REQUIRE(store->append(entries) == done);
    for (int start = 0; start < 2; ++start) {
        const auto room = read_room(*store, lobby);
        CHECK(room.state.epoch == second_reign);
        CHECK(room.state.seq == Seq{5});
        CHECK(room.state.last_id == entries.back()->id);
        CHECK(room.state.last_inserted_at == entries.back()->inserted_at);
        CHECK(
            room.state.epochs
            == std::vector<engine::EpochStart>{{first_reign, Seq{1}}, {second_reign, Seq{4}}});
        CHECK(values(room.state.recent) == values(entries));
        CHECK(room.archived == Seq{0});
        store.reset();
        store = open_store(scratch.path());
    }
}

TEST_CASE("one batch may hold entries of several rooms") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const std::vector<MessagePtr> batch{
        message_ptr(lobby, 1),
        message_ptr(kitchen, 1),
        message_ptr(lobby, 2),
        message_ptr(kitchen, 2)};
    REQUIRE(store->append(batch) == done);
    CHECK(read_room(*store, lobby).state.seq == Seq{2});
    CHECK(read_room(*store, kitchen).state.seq == Seq{2});
}

TEST_CASE("an entry that does not follow the head refuses its whole batch") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    REQUIRE(store->append(messages(lobby, 1, 2, second_reign)) == done);
    check_refused(store->append(messages(lobby, 4, 4, second_reign)));  // A hole.
    check_refused(
        store->append(std::array{another_at(2, second_reign)}));       // A place that is taken.
    check_refused(store->append(messages(lobby, 3, 3, first_reign)));  // An earlier reign.
    check_refused(store->append(messages(kitchen, 2, 2, second_reign)));
    check_refused(store->append(messages(kitchen, 0, 0, second_reign)));
    check_refused(store->append(std::vector{message_ptr(kitchen, 1), message_ptr(kitchen, 3)}));
    check_refused(
        store->append(joined(messages(kitchen, 1, 2), messages(lobby, 4, 4, second_reign))));
    CHECK(read_room(*store, lobby).state.seq == Seq{2});
    CHECK(read_room(*store, kitchen).state.seq == Seq{0});
    CHECK(store->append(messages(lobby, 3, 3, second_reign)) == done);
    CHECK(store->append({}) == done);
}

TEST_CASE("a batch queued behind a refused one makes no hole") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    REQUIRE(store->append(messages(lobby, 1, 1)) == done);
    check_refused(store->append(joined(messages(lobby, 2, 3), messages(kitchen, 9, 9))));
    check_refused(store->append(messages(lobby, 4, 5)));
    CHECK(store->append(messages(lobby, 2, 2, second_reign)) == done);
}

TEST_CASE("an entry that log or archive has already counts as appended") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto entries = messages(lobby, 1, 5);
    REQUIRE(store->append(std::span(entries).first(2)) == done);
    CHECK(store->append(std::span(entries).first(3)) == done);
    REQUIRE(store->save(entries) == done);  // Ahead of the log, up to 5.
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{5}}}) == done);
    CHECK(store->append(std::span(entries).subspan(3)) == done);
    const auto room = read_room(*store, lobby);
    CHECK(values(room.state.recent) == values(entries));
    CHECK(room.archived == Seq{5});
    CHECK(store->append(messages(lobby, 6, 6)) == done);
}

TEST_CASE("what the archive passed over comes into the log late, in its own reign alone") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    REQUIRE(store->append(messages(lobby, 1, 2, first_reign)) == done);
    const auto entries = messages(lobby, 3, 6, second_reign);
    REQUIRE(store->save(std::array{entries[0], entries[3]}) == done);
    check_refused(store->append(messages(lobby, 4, 4, first_reign)));
    check_refused(store->append(messages(lobby, 4, 4, Epoch{0, 3, 0})));
    REQUIRE(store->append(entries) == done);
    check_refused(store->append(std::array{another_at(4, second_reign)}));
    for (int start = 0; start < 2; ++start) {
        const auto room = read_room(*store, lobby);
        CHECK(
            values(room.state.recent)
            == values(joined(messages(lobby, 1, 2, first_reign), entries)));
        CHECK(
            room.state.epochs
            == std::vector<engine::EpochStart>{{first_reign, Seq{1}}, {second_reign, Seq{3}}});
        store.reset();
        store = open_store(scratch.path());
    }
    CHECK(store->append(messages(lobby, 7, 7, second_reign)) == done);
}

TEST_CASE("truncation forgets entries and keeps the head, also when nothing is left") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    REQUIRE(store->append(joined(messages(lobby, 1, 5), messages(kitchen, 1, 2))) == done);
    REQUIRE(store->save(std::array{message_ptr(lobby, 1)}) == done);
    REQUIRE(
        store->truncate(
            std::array{LogPosition{lobby, Seq{3}}, LogPosition{room_named("nowhere"), Seq{9}}})
        == done);
    auto room = read_room(*store, lobby);
    CHECK(seqs(room.state.recent) == std::vector<std::uint64_t>{4, 5});
    CHECK(room.archived == Seq{3});
    CHECK(read_room(*store, kitchen).state.recent.size() == 2);

    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{~std::uint64_t{0}}}}) == done);
    store.reset();
    store = open_store(scratch.path());
    room = read_room(*store, lobby);
    CHECK(room.state.recent.empty());
    CHECK(room.state.seq == Seq{5});
    CHECK(room.state.epochs.size() == 1);
    CHECK(room.archived == Seq{5});
    check_refused(store->append(std::array{another_at(1, first_reign)}));
    CHECK(store->append(messages(lobby, 6, 6)) == done);
}

TEST_CASE("recent messages come from log and archive, each once, up to the bound") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto entries = messages(lobby, 1, 9);
    REQUIRE(store->append(entries) == done);
    REQUIRE(store->save(std::span(entries).first(7)) == done);  // 5 to 7 are in both.
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{4}}}) == done);
    CHECK(values(read_room(*store, lobby, 100).state.recent) == values(entries));
    CHECK(values(read_room(*store, lobby, 9).state.recent) == values(entries));
    CHECK(
        seqs(read_room(*store, lobby, 8).state.recent)
        == std::vector<std::uint64_t>{2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(seqs(read_room(*store, lobby, 4).state.recent) == std::vector<std::uint64_t>{6, 7, 8, 9});
    CHECK(read_room(*store, lobby, 0).state.recent.empty());
    CHECK(read_room(*store, lobby).archived == Seq{4});
}

TEST_CASE("recent messages end at a hole that dead letters left in the archive") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto entries = messages(lobby, 1, 6);
    REQUIRE(store->append(entries) == done);
    REQUIRE(store->save(std::vector{entries[0], entries[1], entries[3]}) == done);
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{4}}}) == done);
    CHECK(seqs(read_room(*store, lobby).state.recent) == std::vector<std::uint64_t>{4, 5, 6});
}

TEST_CASE("of many reigns the latest are remembered") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    std::vector<MessagePtr> entries;
    for (std::uint64_t seq = 1; seq <= epochs_per_room_max + 2; ++seq) {
        entries.push_back(message_ptr(lobby, seq, Epoch{0, seq, 0}));
    }
    REQUIRE(store->append(std::span(entries).first(epochs_per_room_max)) == done);
    CHECK(read_room(*store, lobby).state.epochs.front().first == Seq{1});
    REQUIRE(store->append(std::span(entries).subspan(epochs_per_room_max)) == done);
    const auto epochs = read_room(*store, lobby).state.epochs;
    CHECK(epochs.size() == epochs_per_room_max);
    CHECK(epochs.front().first == Seq{3});
    CHECK(epochs.back().epoch == Epoch{0, epochs_per_room_max + 2, 0});
}

TEST_CASE("a new reign is above every earlier one, whatever the clock says") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    const auto clock = static_cast<std::uint64_t>(noon.time_since_epoch().count());
    CHECK(store->begin_epoch(noon) == Result<Epoch>(Epoch{0, clock, 0}));
    CHECK(store->begin_epoch(noon) == Result<Epoch>(Epoch{0, clock + 1, 0}));
    store.reset();
    store = open_store(scratch.path());
    CHECK(
        store->begin_epoch(noon - std::chrono::hours(2)) == Result<Epoch>(Epoch{0, clock + 2, 0}));
    CHECK(
        store->begin_epoch(WallTime(WallTime::duration(-1)))
        == Result<Epoch>(Epoch{0, clock + 3, 0}));
    CHECK(
        store->begin_epoch(noon + std::chrono::hours(1))
        == Result<Epoch>(Epoch{0, clock + 3'600'000, 0}));
}

TEST_CASE("the backlog is what was not truncated, room by room, in pages") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    CHECK(store->backlog({}, 10)->empty());
    REQUIRE(store->append(joined(messages(lobby, 1, 5), messages(kitchen, 1, 3))) == done);
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{2}}}) == done);
    store.reset();
    store = open_store(scratch.path());
    std::vector<MessagePtr> found;
    std::optional<LogPosition> after;
    for (int page = 0; page < 4; ++page) {
        const auto entries = store->backlog(after, 2);
        REQUIRE(entries);
        found.insert(found.end(), entries->begin(), entries->end());
        if (!entries->empty()) after = LogPosition{found.back()->room, found.back()->seq};
        CHECK(entries->size() == (page < 3 ? 2 : 0));
    }
    CHECK(values(found) == values(joined(messages(lobby, 3, 5), messages(kitchen, 1, 3))));
    CHECK_FALSE(store->backlog(LogPosition{room_named("nowhere"), Seq{1}}, 2));
}

TEST_CASE("rooms are listed by name, in pages, with their heads") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    for (const auto* name : {"b", "a", "\xC3\xA4", "B", "a'--"}) {
        REQUIRE(store->append(messages(room_named(name), 1, 2)) == done);
    }
    std::vector<std::string> names;
    std::string after;
    for (int page = 0; page < 3; ++page) {
        const auto heads = store->rooms(after, 2);
        REQUIRE(heads);
        for (const auto& head : *heads) {
            CHECK(
                head
                == RoomHead{head.room, first_reign, Seq{2}, message_at(head.room, 2).inserted_at});
            names.push_back(head.room.text());
        }
        after = names.back();
    }
    CHECK(names == std::vector<std::string>{"B", "a", "a'--", "b", "\xC3\xA4"});
    CHECK(store->rooms("\xC3\xA4", 2)->empty());
    CHECK(store->rooms("", 0)->empty());
}

TEST_CASE("a page of rooms or backlog has at most log_page_max entries") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    std::vector<MessagePtr> entries;
    for (std::size_t i = 0; i <= log_page_max; ++i)
        entries.push_back(message_ptr(room_named(std::to_string(i)), 1));
    REQUIRE(store->append(entries) == done);
    CHECK(store->rooms("", log_page_max + 1)->size() == log_page_max);
    CHECK(store->backlog({}, log_page_max + 1)->size() == log_page_max);
}

}  // namespace
}  // namespace chatx::node
