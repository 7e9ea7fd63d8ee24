#include "node/store/dead_letters.h"

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

DeadLetter letter(std::uint64_t seq) {
    return {
        0,
        engine::DeliveryTarget::persistence,
        std::nullopt,
        message_ptr(lobby, seq),
        "disk on fire",
        6,
        noon};
}

void check_same(const DeadLetter& found, const DeadLetter& expected) {
    CHECK(found.target == expected.target);
    CHECK(found.user == expected.user);
    CHECK(*found.message == *expected.message);
    CHECK(found.error == expected.error);
    CHECK(found.attempts == expected.attempts);
    CHECK(found.failed_at == expected.failed_at);
}

TEST_CASE("dead letters are kept over a restart, with all they say") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    auto second = letter(2);
    second.target = engine::DeliveryTarget::notifier;
    second.user = user_named("bob'); DROP TABLE dead_letters; --");
    second.error = std::string("NUL \0 and \xF0\x9F\x94\xA5", 14);
    auto message = message_at(lobby, 2);
    message.content = std::string("\0'\"", 3);
    message.reply_to = MessageId{~std::uint64_t{0}};
    second.message = shared(message);
    CHECK(store->add(std::array{letter(1), second}) == Result<std::size_t>(2U));
    store.reset();
    store = open_store(scratch.path());
    const auto found = store->list(0, 10);
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    check_same(found->at(0), letter(1));
    check_same(found->at(1), second);
    const auto one = store->find(found->at(1).id);
    REQUIRE(one);
    REQUIRE(one->has_value());
    check_same(**one, second);
}

TEST_CASE("dead letters are listed in pages and removed one by one, and an id never comes back") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    CHECK(store->count() == Result<std::size_t>(0U));
    CHECK(store->list(0, 10)->empty());
    REQUIRE(store->add(std::array{letter(1), letter(2), letter(3)}) == Result<std::size_t>(3U));
    const auto first = store->list(0, 2);
    REQUIRE(first->size() == 2);
    const auto rest = store->list(first->back().id, 2);
    REQUIRE(rest->size() == 1);
    CHECK(rest->front().message->seq == Seq{3});

    const auto last = rest->front().id;
    CHECK(store->remove(last) == done);
    CHECK(store->remove(last) == done);
    CHECK(store->remove(~std::uint64_t{0}) == done);
    CHECK_FALSE(store->find(last)->has_value());
    CHECK(store->count() == Result<std::size_t>(2U));
    REQUIRE(store->add(std::array{letter(4)}) == Result<std::size_t>(1U));
    CHECK(store->list(first->back().id, 9)->front().id > last);
}

TEST_CASE("a full store of dead letters takes the first that fit and says how many") {
    const ScratchDirectory scratch;
    SqliteStore::Options options;
    options.dead_letters_max = 3;
    const auto store = open_store(scratch.path(), options);
    CHECK(store->add(std::array{letter(1), letter(2)}) == Result<std::size_t>(2U));
    CHECK(store->add(std::array{letter(3), letter(4)}) == Result<std::size_t>(1U));
    CHECK(store->add(std::array{letter(5)}) == Result<std::size_t>(0U));
    CHECK(store->count() == Result<std::size_t>(3U));
    CHECK(store->list(0, 9)->back().message->seq == Seq{3});
    CHECK(store->remove(store->list(0, 1)->front().id) == done);
    CHECK(store->add(std::array{letter(6)}) == Result<std::size_t>(1U));
}

TEST_CASE("a store with more dead letters than allowed takes none") {
    const ScratchDirectory scratch;
    REQUIRE(
        open_store(scratch.path())->add(std::array{letter(1), letter(2)})
        == Result<std::size_t>(2U));
    SqliteStore::Options options;
    options.dead_letters_max = 1;
    CHECK(
        open_store(scratch.path(), options)->add(std::array{letter(3)}) == Result<std::size_t>(0U));
}

TEST_CASE("a dead letter of a message that was archived after all can be replayed") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    REQUIRE(store->save(messages(lobby, 1, 3)) == done);
    REQUIRE(store->add(std::array{letter(2)}) == Result<std::size_t>(1U));
    const auto found = store->list(0, 1);
    CHECK(store->save(std::array{found->front().message}) == done);
    CHECK(store->load(lobby, {})->messages.size() == 3);
}

}  // namespace
}  // namespace chatx::node
