#include "node/store/sqlite.h"
#include "tests/node/store/store_support.h"
#include "tests/support/persistence_conformance.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.

const RoomId lobby = room_named("lobby");

TEST_CASE("the SQLite store keeps what every archive promises") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    chatx::test::check_persistence(*store);
}

TEST_CASE("the archive survives a restart") {
    const ScratchDirectory scratch;
    const auto saved = messages(lobby, 1, 5);
    REQUIRE(open_store(scratch.path())->save(saved) == done);
    const auto page = open_store(scratch.path())->load(lobby, {});
    REQUIRE(page);
    CHECK(values(page->messages) == values(saved));
}

TEST_CASE("entries of the log that are not archived are not read as history") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    REQUIRE(store->append(messages(lobby, 1, 3)) == done);
    REQUIRE(store->save(messages(lobby, 1, 2)) == done);
    const auto page = store->load(lobby, {});
    REQUIRE(page);
    CHECK(seqs(page->messages) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("an archive without a log still knows heads and reigns") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    REQUIRE(store->save(messages(lobby, 1, 3)) == done);
    REQUIRE(store->save(messages(lobby, 5, 6, Epoch{0, 2, 0})) == done);
    REQUIRE(
        store->save(messages(lobby, 4, 4, Epoch{0, 2, 0}))
        == done);  // A dead letter that was replayed.
    store.reset();
    store = open_store(scratch.path());
    const auto room = read_room(*store, lobby);
    CHECK(room.state.seq == Seq{6});
    CHECK(room.state.epoch == Epoch{0, 2, 0});
    CHECK(room.archived == Seq{6});
    CHECK(room.state.epochs.size() == 2);
    CHECK(seqs(room.state.recent) == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("a full disk refuses a batch, keeps what was there, and goes on when there is room") {
    const ScratchDirectory scratch;
    SqliteStore::Options options;
    options.limits.file_bytes_max = std::uint64_t{256} << 10;
    auto store = open_store(scratch.path(), options);
    std::uint64_t stored = 0;
    auto message = message_at(lobby, 1);
    message.content = std::string(4096, 'x');
    Result<Done> saved = Done{};
    for (; stored < 1000; ++stored) {
        message.seq = Seq{stored + 1};
        message.id = MessageId{stored + 1};
        saved = store->append(std::array{shared(message)});
        if (!saved) break;
    }
    REQUIRE_FALSE(saved);
    CHECK(stored > 20);
    CHECK(saved.error().reason == Reason::adapter_error);
    CHECK(contains(saved.error().detail, "no space left"));
    CHECK(read_room(*store, lobby).state.seq == Seq{stored});
    CHECK_FALSE(store->save(messages(room_named("other"), 1, 200)));

    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{stored / 2}}}) == done);
    CHECK(store->append(std::array{shared(message)}) == done);
    store.reset();
    CHECK(read_room(*open_store(scratch.path()), lobby).state.seq == Seq{stored + 1});
}

TEST_CASE("reads on other threads see each write that returned before, and no half of one") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    constexpr std::uint64_t batches = 20;
    std::atomic<std::uint64_t> written{0};
    std::atomic<int> wrong{0};
    const auto read = [&] {
        while (written.load() < batches) {
            const auto before = written.load();
            const auto page = store->load(lobby, {{}, {}, {}, 200});
            const bool whole =
                page && page->messages.size() % 10 == 0 && page->messages.size() >= 10 * before;
            if (!whole) ++wrong;
        }
    };
    std::vector<std::thread> readers;
    readers.reserve(3);
    for (int i = 0; i < 3; ++i)
        readers.emplace_back(read);
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
        CHECK(store->save(messages(lobby, 10 * batch + 1, 10 * batch + 10)) == done);
        ++written;
    }
    for (auto& reader : readers)
        reader.join();
    CHECK(wrong == 0);
}

}  // namespace
}  // namespace chatx::node
