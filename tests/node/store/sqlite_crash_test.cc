#include <chatx/entropy.h>

#include "node/store/sqlite.h"
#include "tests/node/store/faulty_disk.h"
#include "tests/node/store/store_support.h"
#include "tests/support/child_process.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.
namespace fs = std::filesystem;

const RoomId lobby = room_named("lobby");

/// The store as another process would find it if this one ended now.
void copy_files(const fs::path& from, const fs::path& to) {
    for (const auto* name : {"chatx.db", "chatx.db-wal"}) {
        if (fs::exists(from / name)) fs::copy_file(from / name, to / name);
    }
}

TEST_CASE("what was acknowledged is there after a crash at any moment between two writes") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto entries = messages(lobby, 1, 12);
    for (std::size_t stored = 0; stored < entries.size(); ++stored) {
        REQUIRE(store->append(std::span(entries).subspan(stored, 1)) == done);
        if (stored % 3 == 0) REQUIRE(store->save(std::span(entries).first(stored)) == done);
        const ScratchDirectory crashed;
        copy_files(scratch.path(), crashed.path());
        const auto found = open_store(crashed.path());
        CHECK(
            values(read_room(*found, lobby).state.recent)
            == values({entries.begin(), entries.begin() + static_cast<long>(stored) + 1}));
        CHECK(found->id() == store->id());
    }
}

/// Begins a reign and appends until it is killed. Reports each entry once it is acknowledged.
void append_for_ever(const fs::path& directory, int report) {
    auto opened = try_open(directory);
    const auto epoch = opened ? (*opened)->begin_epoch(noon) : Result<Epoch>(opened.error());
    if (!epoch) return chatx::test::report_line(report, epoch.error().detail);
    auto seq = (*opened)->open_room(lobby, 1)->state.seq;
    while (true) {
        seq = seq.next();
        auto message = message_at(lobby, seq.value, *epoch);
        if (!(*opened)->append(std::array{shared(message)}))
            return chatx::test::report_line(report, "refused");
        chatx::test::report_line(
            report, std::to_string(epoch->counter) + " " + std::to_string(seq.value));
    }
}

TEST_CASE(
    "kill -9 loses no acknowledged entry, and no place is ever given twice, though the clock "
    "stands still") {
    const ScratchDirectory scratch;
    std::map<std::uint64_t, std::uint64_t> acknowledged;  // Seq to the counter of its epoch.
    std::uint64_t last_counter = 0;
    for (int round = 0; round < 4; ++round) {
        chatx::test::ChildProcess child(
            [&](int report) { append_for_ever(scratch.path(), report); });
        const auto note = [&](const std::string& line) {
            std::istringstream words(line);
            std::uint64_t counter = 0;
            std::uint64_t seq = 0;
            words >> counter >> seq;
            REQUIRE_MESSAGE(seq > 0, line);
            REQUIRE(acknowledged.emplace(seq, counter).second);
            last_counter = counter;
        };
        for (int entry = 0; entry < 10 + 7 * round; ++entry)
            note(child.read_line());
        child.kill();
        for (auto line = child.read_line(); !line.empty(); line = child.read_line())
            note(line);

        const auto store = open_store(scratch.path());
        const auto room = read_room(*store, lobby, recent_messages_max);
        REQUIRE(room.state.seq.value >= acknowledged.rbegin()->first);
        for (const auto& [seq, counter] : acknowledged) {
            const auto& message = *room.state.recent.at(seq - 1);
            CHECK(message == message_at(lobby, seq, Epoch{0, counter, 0}));
        }
        const auto epoch = store->begin_epoch(noon);
        REQUIRE(epoch);
        CHECK(epoch->counter > last_counter);
    }
}

/// A random life of a store: appends, archives, forgets, as a node does.
class Life {
public:
    Life(SqliteStore& store, Entropy& entropy) : store_(store), entropy_(entropy) {}

    void step() {
        const auto first = head + 1;
        const auto last = head + 1 + entropy_.below(5);
        std::vector<MessagePtr> batch;
        for (auto seq = first; seq <= last; ++seq)
            batch.push_back(message(seq));
        REQUIRE(store_.append(batch) == done);
        head = last;
        if (entropy_.below(4) != 0) return;
        batch.clear();
        for (auto seq = archived + 1; seq <= head; ++seq)
            batch.push_back(message(seq));
        REQUIRE(store_.save(batch) == done);
        archived = head;
        REQUIRE(store_.truncate(std::array{LogPosition{lobby, Seq{archived}}}) == done);
    }

    static MessagePtr message(std::uint64_t seq) {
        auto made = message_at(lobby, seq);
        made.content = std::string(10 + 997 * seq % 6000, static_cast<char>('a' + seq % 26));
        return shared(made);
    }

    void check(const fs::path& directory) const {
        const auto found = open_store(directory);
        const auto room = read_room(*found, lobby, 1000);
        REQUIRE(room.state.seq.value == head);
        REQUIRE(room.state.recent.size() == head);
        for (std::uint64_t seq = 1; seq <= head; ++seq) {
            if (*room.state.recent[seq - 1] != *message(seq))
                FAIL("entry " << seq << " is not what was appended");
        }
        REQUIRE(found->backlog({}, 1000)->size() == head - archived);
    }

    std::uint64_t head = 0;
    std::uint64_t archived = 0;

private:
    SqliteStore& store_;
    Entropy& entropy_;
};

TEST_CASE("a power cut leaves what was acknowledged and nothing else") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        FaultyDisk disk;
        SeededEntropy entropy(seed);
        const ScratchDirectory scratch;
        const auto store = open_store(scratch.path());
        Life life(*store, entropy);
        for (int step = 0; step < 110; ++step) {
            life.step();
            if (entropy.below(16) != 0) continue;
            const ScratchDirectory after;
            disk.cut_power(fs::canonical(scratch.path()), after.path(), entropy);
            INFO("seed " << seed << ", step " << step);
            life.check(after.path());
        }
    }
}

TEST_CASE("when the disk fails to commit, the outcome is unknown and nothing more is taken") {
    FaultyDisk disk;
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    REQUIRE(store->append(messages(lobby, 1, 1)) == done);
    disk.fail_syncs(true);
    const auto unknown = store->append(messages(lobby, 2, 2));
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().reason == Reason::timeout);
    disk.fail_syncs(false);
    const auto refused = store->append(messages(lobby, 2, 2, Epoch{0, 2, 0}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == Reason::adapter_error);
    CHECK(contains(refused.error().detail, "the disk failed"));
    CHECK_FALSE(store->begin_epoch(noon));
    CHECK_FALSE(store->save(messages(lobby, 1, 1)));
    CHECK(read_room(*store, lobby).state.seq == Seq{1});

    store.reset();
    store = open_store(scratch.path());
    const auto head = read_room(*store, lobby).state.seq.value;
    CHECK((head == 1 || head == 2));
    CHECK(store->append(messages(lobby, head + 1, head + 1, Epoch{0, 2, 0})) == done);
}

}  // namespace
}  // namespace chatx::node
