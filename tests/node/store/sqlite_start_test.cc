#include "node/store/sqlite.h"
#include "tests/node/store/store_support.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.
using namespace std::chrono_literals;

const RoomId lobby = room_named("lobby");
const RoomId kitchen = room_named("kitchen");

/// A message of a room at its place, said so long after noon.
MessagePtr said_at(std::uint64_t seq, Wall::duration after_noon, const RoomId& room = lobby) {
    auto message = message_at(room, seq);
    message.inserted_at = noon + after_noon;
    return shared(message);
}

/// Messages at `first` to `last`, one each second.
std::vector<MessagePtr> each_second(std::uint64_t first, std::uint64_t last) {
    std::vector<MessagePtr> said;
    for (auto seq = first; seq <= last; ++seq)
        said.push_back(said_at(seq, std::chrono::seconds(seq)));
    return said;
}

DeadLetter letter_of(MessagePtr message) {
    DeadLetter letter;
    letter.message = std::move(message);
    letter.error = "adapter_error: broken";
    letter.attempts = 6;
    letter.failed_at = noon;
    return letter;
}

std::vector<std::string> client_ids(const Result<std::vector<engine::Dedupe::Applied>>& sends) {
    REQUIRE(sends);
    std::vector<std::string> found;
    for (const auto& send : *sends)
        found.push_back(send.key.client_id);
    return found;
}

using Names = std::vector<std::string>;

// ---- what is needed to recognize retries ----

TEST_CASE("recent sends are those of log and archive after a time, each once, oldest first") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    const auto entries = each_second(1, 9);
    REQUIRE(store->append(entries) == done);
    REQUIRE(store->save(std::span(entries).first(7)) == done);  // 5 to 7 are in both.
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{4}}}) == done);
    REQUIRE(store->append(messages(kitchen, 1, 3)) == done);
    for (int start = 0; start < 2; ++start) {
        CHECK(
            client_ids(store->recent_sends(lobby, noon + 2s, 100))
            == Names{
                "client-3",
                "client-4",
                "client-5",
                "client-6",
                "client-7",
                "client-8",
                "client-9"});
        CHECK(client_ids(store->recent_sends(lobby, noon, 100)).size() == 9);
        CHECK(client_ids(store->recent_sends(lobby, noon + 9s, 100)).empty());
        store.reset();
        store = open_store(scratch.path());
    }
    const auto sends = store->recent_sends(lobby, noon + 8s, 100);
    REQUIRE(sends);
    const auto& last = *entries.back();
    CHECK(
        *sends
        == std::vector<engine::Dedupe::Applied>{
            {{last.user, last.client_id}, {last.id, last.epoch, last.seq, last.inserted_at}}});
}

TEST_CASE("recent sends are looked for among so many places, also those without a client_id") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    auto entries = each_second(1, 9);
    for (const std::size_t place : {5, 8}) {
        auto anonymous = *entries[place - 1];
        anonymous.client_id.clear();
        entries[place - 1] = shared(anonymous);
    }
    REQUIRE(store->append(entries) == done);
    REQUIRE(store->save(std::span(entries).first(8)) == done);
    const auto among = [&](std::size_t places) {
        return client_ids(store->recent_sends(lobby, noon, places));
    };
    CHECK(among(4) == Names{"client-6", "client-7", "client-9"});
    CHECK(among(5) == among(4));
    CHECK(among(6).size() == 4);
    CHECK(among(1) == Names{"client-9"});
    CHECK(among(0).empty());
    CHECK(among(std::numeric_limits<std::size_t>::max()).size() == 7);
}

TEST_CASE("recent sends are those of dead letters too, each once") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    const auto entries = each_second(1, 4);
    REQUIRE(store->append(entries) == done);
    REQUIRE(store->save(std::vector{entries[0], entries[1], entries[3]}) == done);
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{4}}}) == done);
    REQUIRE(
        store->add(std::array{letter_of(entries[2]), letter_of(entries[1]), letter_of(entries[2])})
        == Result<std::size_t>(3));
    REQUIRE(store->add(std::array{letter_of(said_at(3, 3s, kitchen))}));
    CHECK(
        client_ids(store->recent_sends(lobby, noon, 100))
        == Names{"client-1", "client-2", "client-3", "client-4"});
    CHECK(client_ids(store->recent_sends(lobby, noon, 2)) == Names{"client-3", "client-4"});
    CHECK(client_ids(store->recent_sends(lobby, noon, 1)) == Names{"client-4"});
    CHECK(client_ids(store->recent_sends(lobby, noon + 3s, 100)) == Names{"client-4"});
}

TEST_CASE("a room never heard of has no recent sends") {
    const ScratchDirectory scratch;
    CHECK(client_ids(open_store(scratch.path())->recent_sends(lobby, noon, 100)).empty());
}

TEST_CASE("a room is opened with the sends of ten minutes before the present or its last message") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    std::vector<MessagePtr> entries;
    for (std::uint64_t seq = 1; seq <= 3000; ++seq)
        entries.push_back(said_at(seq, 300ms * static_cast<std::int64_t>(seq)));  // 15 min in all.
    REQUIRE(store->append(entries) == done);
    REQUIRE(store->save(entries) == done);
    REQUIRE(store->truncate(std::array{LogPosition{lobby, Seq{3000}}}) == done);
    const auto opened = [&](WallTime now) {
        const auto room = open_room_with_sends(*store, lobby, 10, {}, now);
        REQUIRE(room);
        CHECK(room->state.recent.size() == 10);
        return room->state.sends.size();
    };
    CHECK(opened(noon + 15min) == 2000);
    CHECK(opened(noon + 20min) == 1000);
    CHECK(opened(noon + 25min) == 0);
    CHECK(opened(noon - 24h) == 2000);
}

// ---- where ids go on ----

TEST_CASE("the last id is the largest in log, archive and dead letters, also after a restart") {
    const ScratchDirectory scratch;
    auto store = open_store(scratch.path());
    const auto with_id = [](std::uint64_t seq, MessageId id) {
        auto message = message_at(kitchen, seq);
        message.id = id;
        return shared(message);
    };
    const auto check = [&](MessageId last) {
        CHECK(store->last_id() == Result<MessageId>(last));
        store.reset();
        store = open_store(scratch.path());
        CHECK(store->last_id() == Result<MessageId>(last));
    };
    check(MessageId{0});
    REQUIRE(store->append(std::vector{with_id(1, {70}), with_id(2, {80})}) == done);
    check(MessageId{80});
    REQUIRE(store->save(std::vector{with_id(1, {70}), with_id(2, {80})}) == done);
    REQUIRE(store->truncate(std::array{LogPosition{kitchen, Seq{2}}}) == done);
    check(MessageId{80});
    DeadLetter letter{0, engine::DeliveryTarget::persistence, {}, with_id(3, {90}), "no", 6, noon};
    REQUIRE(store->add(std::array{letter}) == Result<std::size_t>(1U));
    check(MessageId{90});
    // From 2059 on ids have their highest bit set.
    constexpr std::uint64_t late = std::uint64_t{1} << 63;
    REQUIRE(store->save(std::array{with_id(4, {late + 1})}) == done);
    check(MessageId{late + 1});
    REQUIRE(store->append(std::array{with_id(5, {late + 2})}) == done);
    check(MessageId{late + 2});
    letter.message = with_id(6, {late + 3});
    REQUIRE(store->add(std::array{letter}) == Result<std::size_t>(1U));
    check(MessageId{late + 3});
}

}  // namespace
}  // namespace chatx::node
