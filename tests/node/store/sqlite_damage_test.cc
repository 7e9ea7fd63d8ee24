#include <chatx/entropy.h>

#include "node/store/sqlite.h"
#include "tests/node/store/store_support.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.
namespace fs = std::filesystem;

const RoomId lobby = room_named("lobby");
const RoomId kitchen = room_named("kitchen");

std::string read_file(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

/// A small store with something in every table.
void fill(SqliteStore& store) {
    auto entries = messages(lobby, 1, 30, Epoch{0, 1, 0});
    const auto later = messages(lobby, 31, 40, Epoch{0, 2, 0});
    entries.insert(entries.end(), later.begin(), later.end());
    REQUIRE(store.begin_epoch(noon));
    REQUIRE(store.append(entries) == done);
    REQUIRE(store.append(messages(kitchen, 1, 3)) == done);
    REQUIRE(store.save(std::span(entries).first(35)) == done);
    REQUIRE(store.truncate(std::array{LogPosition{lobby, Seq{35}}}) == done);
    const DeadLetter letter{
        0,
        engine::DeliveryTarget::notifier,
        user_named("bob"),
        message_ptr(lobby, 7),
        "no",
        6,
        noon};
    REQUIRE(store.add(std::array{letter}) == Result<std::size_t>(1U));
}

/// All that a node can learn from a store, in a form to compare.
struct Contents {
    std::vector<Message> history;
    std::vector<Message> backlog;
    std::vector<Message> recent;
    std::vector<RoomHead> heads;
    std::vector<RoomHead> opened;
    std::vector<Message> letters;
    std::vector<engine::Dedupe::Applied> sends;

    bool operator==(const Contents&) const = default;
};

/// Reads a store as a node does. Nothing when the store refuses anywhere.
std::optional<Contents> read_all(SqliteStore& store) {
    Contents all;
    const auto backlog = store.backlog({}, 1000);
    const auto heads = store.rooms("", 1000);
    const auto letters = store.list(0, 1000);
    if (!backlog || !heads || !letters) return std::nullopt;
    all.backlog = values(*backlog);
    all.heads = *heads;
    for (const auto& letter : *letters)
        all.letters.push_back(*letter.message);
    for (const auto& name : {lobby, kitchen}) {
        const auto page = store.load(name, {{}, Seq{0}, {}, history_page_max});
        const auto room = store.open_room(name, 1000);
        const auto sends = store.recent_sends(name, WallTime::min(), 1000);
        if (!page || !room || !sends) return std::nullopt;
        all.sends.insert(all.sends.end(), sends->begin(), sends->end());
        for (const auto& message : values(page->messages))
            all.history.push_back(message);
        for (const auto& message : values(room->state.recent))
            all.recent.push_back(message);
        all.opened.push_back(
            {name, room->state.epoch, room->state.seq, room->state.last_inserted_at});
    }
    return all;
}

/// Opens bytes as a store and says whether it refuses, or else gives the very same answers.
bool refused_or_same(const std::string& bytes, const Contents& expected) {
    const ScratchDirectory scratch;
    write_file(scratch.path() / "chatx.db", bytes);
    const auto opened = try_open(scratch.path());
    if (!opened) return !opened.error().detail.empty();
    const auto found = read_all(**opened);
    return !found || *found == expected;
}

TEST_CASE("a flipped bit anywhere in the file is refused or harmless, never believed") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    fill(*store);
    const auto expected = read_all(*store);
    REQUIRE(expected);
    CHECK(expected->history.size() == 35);
    CHECK(expected->backlog.size() == 8);
    store.reset();
    const auto good = read_file(scratch.path() / "chatx.db");
    CHECK(refused_or_same(good, *expected));

    SeededEntropy entropy(1);
    std::vector<std::size_t> used;  // Half of the flips go where there is something.
    for (std::size_t i = 0; i < good.size(); ++i) {
        if (good[i] != 0) used.push_back(i);
    }
    for (int flip = 0; flip < 400; ++flip) {
        auto bad = good;
        const auto place =
            flip % 2 == 0 ? used[entropy.below(used.size())] : entropy.below(good.size());
        bad[place] = static_cast<char>(bad[place] ^ (1 << entropy.below(8)));
        INFO("byte " << place << " of " << good.size());
        CHECK(refused_or_same(bad, *expected));
    }
}

TEST_CASE("a file cut short is refused") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    fill(*store);
    const auto expected = read_all(*store);
    store.reset();
    const auto good = read_file(scratch.path() / "chatx.db");
    for (std::size_t size = 1; size < good.size(); size += 2999)
        CHECK(refused_or_same(good.substr(0, size), *expected));
}

TEST_CASE("records of a file too large to be checked whole are refused when they are read") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    fill(*store);
    store.reset();
    const auto path = scratch.path() / "chatx.db";
    auto bytes = read_file(path);
    SqliteStore::Options options;
    options.limits.check_bytes_max = 0;
    for (auto found = bytes.find("words 12"); found != std::string::npos;
         found = bytes.find("words 12", found + 1)) {
        bytes[found] = 'W';
    }
    write_file(path, bytes);
    store = open_store(scratch.path(), options);
    CHECK_FALSE(store->load(lobby, {{}, Seq{0}, {}, 40}));
    CHECK(store->load(lobby, {{}, Seq{12}, {}, 40}));
    CHECK_FALSE(store->open_room(lobby, 100));
    CHECK(store->open_room(kitchen, 100));
    CHECK_FALSE(store->recent_sends(lobby, noon, 100));
    CHECK(store->recent_sends(lobby, noon, 20));
}

TEST_CASE("a file that SQLite finds damaged while it writes is written to no more") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    REQUIRE(store->append(messages(lobby, 1, 2000)) == done);
    REQUIRE(store->append(messages(kitchen, 1, 1)) == done);
    store.reset();
    const auto path = scratch.path() / "chatx.db";
    auto bytes = read_file(path);
    const auto last = bytes.find("words 2000");
    REQUIRE(last != std::string::npos);
    constexpr std::size_t page_bytes = 4096;
    std::fill_n(bytes.begin() + static_cast<long>(last / page_bytes * page_bytes), 64, '\xFF');
    write_file(path, bytes);

    SqliteStore::Options options;
    options.limits.check_bytes_max = 0;
    store = open_store(scratch.path(), options);
    const auto damaged = store->append(messages(lobby, 2001, 2001));
    REQUIRE_FALSE(damaged);
    CHECK(contains(damaged.error().detail, "damaged: stop the node"));
    CHECK_FALSE(store->append(messages(kitchen, 2, 2)));
    CHECK_FALSE(store->begin_epoch(noon));
    CHECK_FALSE(store->append(messages(room_named("elsewhere"), 1, 1)));
    CHECK(store->rooms("", 10)->size() == 2);
}

TEST_CASE("damage to the write-ahead log after a crash never shows what was not said") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto entries = messages(lobby, 1, 12);
    for (std::size_t i = 0; i < entries.size(); ++i)
        REQUIRE(store->append(std::span(entries).subspan(i, 1)) == done);
    const auto main_file = read_file(scratch.path() / "chatx.db");
    const auto good = read_file(scratch.path() / "chatx.db-wal");
    SeededEntropy entropy(2);
    for (int flip = 0; flip < 60; ++flip) {
        auto bad = good;
        const auto place = entropy.below(bad.size());
        bad[place] = static_cast<char>(bad[place] ^ (1 << entropy.below(8)));
        const ScratchDirectory crashed;
        write_file(crashed.path() / "chatx.db", main_file);
        write_file(crashed.path() / "chatx.db-wal", bad);
        const auto opened = try_open(crashed.path());
        if (!opened) continue;
        const auto room = (*opened)->open_room(lobby, 100);
        if (!room) continue;
        const auto found = values(room->state.recent);
        REQUIRE(found.size() <= entries.size());
        CHECK(room->state.seq.value == found.size());
        CHECK(
            found == values({entries.begin(), entries.begin() + static_cast<long>(found.size())}));
    }
}

}  // namespace
}  // namespace chatx::node
