#include "node/gateway/admin_letters.h"

#include "tests/node/store/store_support.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.

const RoomId lobby = room_named("lobby");

DeadLetter letter_of(MessagePtr message) {
    return {
        0,
        engine::DeliveryTarget::persistence,
        std::nullopt,
        std::move(message),
        "disk on fire",
        6,
        noon};
}

/// A store with letters of the messages 1 to `count`.
std::unique_ptr<SqliteStore> store_with_letters(
    const ScratchDirectory& scratch, std::uint64_t count) {
    auto store = open_store(scratch.path());
    for (std::uint64_t seq = 1; seq <= count; ++seq) {
        REQUIRE(
            store->add(std::array{letter_of(message_ptr(lobby, seq))}) == Result<std::size_t>(1U));
    }
    return store;
}

std::vector<std::uint64_t> archived(SqliteStore& store) {
    const auto page =
        store.load(lobby, {.after_id = {}, .after = Seq{0}, .before = {}, .limit = 200});
    REQUIRE(page);
    return seqs(page->messages);
}

TEST_CASE("a replayed letter is in the archive and no longer a letter") {
    const ScratchDirectory scratch;
    const auto store = store_with_letters(scratch, 3);
    const Replayed replayed = replay(*store, *store, {1, 3});
    CHECK(replayed.done == 2);
    CHECK(replayed.failed.empty());
    CHECK(replayed.missing.empty());
    CHECK(archived(*store) == std::vector<std::uint64_t>{1, 3});
    CHECK(store->count() == Result<std::size_t>(1U));
}

TEST_CASE("letters that are not there are named, and the others replayed") {
    const ScratchDirectory scratch;
    const auto store = store_with_letters(scratch, 1);
    const Replayed replayed = replay(*store, *store, {7, 1, 1});
    CHECK(replayed.done == 1);
    CHECK(replayed.missing == std::vector<std::uint64_t>{7, 1});
}

TEST_CASE("a letter that the archive has already goes, and makes no second row") {
    const ScratchDirectory scratch;
    const auto store = store_with_letters(scratch, 1);
    REQUIRE(store->save(std::array{message_ptr(lobby, 1)}) == done);
    CHECK(replay(*store, *store, {1}).done == 1);
    CHECK(archived(*store) == std::vector<std::uint64_t>{1});
}

TEST_CASE("a letter that the archive refuses stays, and the error is told") {
    const ScratchDirectory scratch;
    const auto store = store_with_letters(scratch, 2);
    Message other = message_at(lobby, 1);
    other.id = MessageId{7};
    REQUIRE(store->save(std::array{shared(other)}) == done);
    const Replayed replayed = replay(*store, *store, {1, 2});
    CHECK(replayed.done == 1);
    REQUIRE(replayed.failed.size() == 1);
    CHECK(replayed.failed[0].id == 1);
    CHECK_FALSE(replayed.failed[0].error.empty());
    CHECK(store->count() == Result<std::size_t>(1U));
}

TEST_CASE("a letter of the notifier stays while there is none") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    auto letter = letter_of(message_ptr(lobby, 1));
    letter.target = engine::DeliveryTarget::notifier;
    letter.user = user_named("bob");
    REQUIRE(store->add(std::array{letter}));
    CHECK(replay(*store, *store, {1}).failed.size() == 1);
    CHECK(store->count() == Result<std::size_t>(1U));
}

TEST_CASE("all letters are replayed page by page, and one that fails is not met again") {
    const ScratchDirectory scratch;
    const auto store = store_with_letters(scratch, 5);
    Message other = message_at(lobby, 2);
    other.id = MessageId{7};
    REQUIRE(store->save(std::array{shared(other)}) == done);

    std::uint64_t after = 0;
    std::uint64_t replayed = 0;
    std::size_t pages = 0;
    while (true) {
        const Replayed page = replay_after(*store, *store, after, 2);
        if (page.last == 0) break;
        after = page.last;
        replayed += page.done;
        ++pages;
    }
    CHECK(replayed == 4);
    CHECK(pages == 3);
    CHECK(store->count() == Result<std::size_t>(1U));
}

}  // namespace
}  // namespace chatx::node
