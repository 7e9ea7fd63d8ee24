#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

/// A room of small thresholds: changes are gathered from 3 members on, counted from 5 on.
struct PresenceRoom : RoomFixture {
    PresenceRoom() {
        options.presence = {
            .batch_from = 3, .batch_interval = 500ms, .count_from = 5, .count_interval = 1s};
        open();
    }

    Outcome come(std::uint64_t connection) {
        return join(connection, member(connection), "u" + std::to_string(connection));
    }

    void fill(std::uint64_t count) {
        for (std::uint64_t connection = 1; connection <= count; ++connection)
            come(connection);
    }
};

template <class T>
std::vector<T> told(const Outcome& outcome) {
    std::vector<T> found;
    for (const auto& broadcast : outcome.all<Broadcast>()) {
        if (const auto* one = std::get_if<T>(&broadcast.event)) found.push_back(*one);
    }
    return found;
}

JoinReply reply_of(const Outcome& outcome, std::uint64_t request) {
    const auto answer = outcome.answer<JoinReply>(request);
    REQUIRE(answer);
    REQUIRE(*answer);
    return **answer;
}

}  // namespace

TEST_CASE("a room that fills gathers its changes and tells them when they are due") {
    PresenceRoom room;
    room.fill(3);
    const Outcome fourth = room.come(4);
    CHECK(fourth.diffs().empty());
    CHECK(reply_of(fourth, 4).presence->size() == 3);
    REQUIRE(room.room().deadline() == room.now + 500ms);
    room.pass(500ms);
    const auto diffs = room.tick().diffs();
    REQUIRE(diffs.size() == 1);
    CHECK(diffs[0].joins.contains("u4"));
}

TEST_CASE("a very large room tells how many are there, to those who come too") {
    PresenceRoom room;
    room.fill(4);
    const Outcome fifth = room.come(5);
    REQUIRE(told<PresenceState>(fifth).size() == 1);
    CHECK(told<PresenceState>(fifth)[0].members->empty());
    CHECK(told<Occupancy>(fifth) == std::vector{Occupancy{5}});
    const JoinReply reply = reply_of(fifth, 5);
    CHECK(reply.presence->empty());
    CHECK(reply.occupancy == Occupancy{5});

    const Outcome sixth = room.come(6);
    CHECK(sixth.all<Broadcast>().empty());
    CHECK(reply_of(sixth, 6).occupancy == Occupancy{6});
    room.pass(1s);
    CHECK(told<Occupancy>(room.tick()) == std::vector{Occupancy{6}});
}

TEST_CASE("a small room tells no number") {
    PresenceRoom room;
    CHECK(!reply_of(room.come(1), 1).occupancy);
}

TEST_CASE("nobody is told what is due in a room that is empty") {
    PresenceRoom room;
    room.fill(4);
    for (std::uint64_t connection = 1; connection <= 4; ++connection)
        room.leave(member(connection));
    room.pass(1s);
    CHECK(room.tick().all<Broadcast>().empty());
}

TEST_CASE("a signal is passed on from visible members only, as it is") {
    PresenceRoom room;
    room.come(1);
    const auto signal = [&](std::uint64_t connection) {
        return told<Signal>(room.run([&](Room& own, Step& step) {
            own.signal({member(connection), user_id("u1"), "cursor", std::string("\0\1", 2)}, step);
        }));
    };
    const auto heard = signal(1);
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].event == "cursor");
    CHECK(heard[0].payload.size() == 2);
    CHECK(signal(2).empty());
}

}  // namespace chatx::engine
