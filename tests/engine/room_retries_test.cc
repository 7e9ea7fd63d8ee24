#include "engine/room.h"
#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

}  // namespace

TEST_CASE("a retry is recognized after the room was opened anew") {
    RoomFixture fixture;
    fixture.open(
        {{1, 2, 0}, Seq{2}, MessageId{200}, start_wall, {}, {}, sends_at(1, 2), start_wall});
    const auto retry = fixture.send(1, "hello", "c2");
    REQUIRE(retry.answer<SendReply>(1));
    CHECK((*retry.answer<SendReply>(1))->seq == Seq{2});
    CHECK(fixture.uncommitted().empty());
}

TEST_CASE("of more sends than may be remembered a room that is opened takes the latest") {
    RoomFixture fixture;
    fixture.options.dedupe.entries_max = 3;
    fixture.open(
        {{1, 2, 0}, Seq{5}, MessageId{500}, start_wall, {}, {}, sends_at(1, 5), start_wall});
    CHECK(fixture.send(1, "hello", "c3").answer<SendReply>(1));
    CHECK(fixture.send(2, "hello", "c2").refusal(2) == Reason::queue_overflow);
}

TEST_CASE(
    "how long a retry is recognized counts from when the message was said, where that is known") {
    RoomFixture fixture;
    const auto open = [&](Duration ago, WallTime last_inserted_at) {
        auto sends = sends_at(1, 1);
        sends[0].reply.inserted_at = start_wall - std::chrono::floor<Wall::duration>(ago);
        fixture.open(
            {{1, 2, 0}, Seq{1}, MessageId{100}, last_inserted_at, {}, {}, sends, start_wall});
        return fixture.send(1, "hello", "c1").answer<SendReply>(1).has_value();
    };
    CHECK(open(10min - 1ms, start_wall));
    CHECK_FALSE(open(10min, start_wall));
    CHECK(open(9min, start_wall));
    fixture.pass(1min);
    CHECK_FALSE(fixture.send(2, "hello", "c1").answer<SendReply>(2));

    // The clock was set back by an hour; of a store that is not sane, nothing worse is made.
    CHECK(open(10min - 1ms - 1h, start_wall + 1h));
    CHECK_FALSE(open(10min - 1h, start_wall + 1h));
    CHECK(open(-1h, start_wall));
}

TEST_CASE("a room stays while it recognizes retries that would not be brought back") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.options.history.messages_max = 1;
    fixture.options.dedupe.entries_max = 3;
    fixture.open();
    fixture.send(1, "hello", "c1");
    fixture.commit();
    fixture.say(2);
    fixture.room().on_archived(Seq{3});
    CHECK(fixture.room().can_close());
    fixture.say(1);
    fixture.room().on_archived(Seq{4});
    CHECK_FALSE(fixture.room().can_close());
    fixture.pass(10min);
    fixture.tick();
    CHECK(fixture.room().can_close());
}

TEST_CASE("a room stays until those who sent may send as much as in one that is opened anew") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.options.rate_limit = {.messages_per_sec = 1, .burst = 1000, .buckets_max = 10};
    fixture.use_chain({"rate_limit"});
    fixture.open();
    fixture.say(400);
    fixture.room().on_archived(Seq{400});
    fixture.pass(300s);
    fixture.tick();
    CHECK_FALSE(fixture.room().can_close());
    REQUIRE(fixture.room().deadline());
    CHECK(*fixture.room().deadline() == fixture.now + 100s);
    fixture.pass(100s);
    fixture.tick();
    CHECK(fixture.room().can_close());
}

namespace {

/// A room that is used, closed and opened again, and what it has to remember.
class Lives {
public:
    Lives() {
        fixture_.options.dedupe = {.window = 10min, .entries_max = 6, .waiters_max = 1};
        fixture_.open();
    }

    void pass(Duration time) {
        fixture_.pass(time);
        std::erase_if(remembered_, [&](const auto& send) {
            return send.second.inserted_at + 10min <= fixture_.wall;
        });
    }

    /// Opens the room anew from what a store has.
    void reopen() {
        const Seq head = said_.empty() ? Seq{} : said_.back()->seq;
        RoomState state{{1, ++reigns_, 0}, head, {}, {}, {}, {}, {}, fixture_.wall};
        if (!said_.empty()) {
            state.last_id = said_.back()->id;
            state.last_inserted_at = said_.back()->inserted_at;
        }
        const auto out_of_reach = [&](Seq seq) {
            return seq.value + fixture_.options.dedupe.entries_max <= head.value;
        };
        for (const auto& message : said_) {
            const auto send = applied_send(*message);
            const bool recent = message->inserted_at > fixture_.wall - 10min;
            if (send && recent && !out_of_reach(message->seq)) state.sends.push_back(*send);
        }
        std::erase_if(remembered_, [&](const auto& send) { return out_of_reach(send.second.seq); });
        fixture_.open(std::move(state));
    }

    void send(const std::string& client_id) {
        const auto outcome = fixture_.send(1, "hello", client_id);
        const auto known = remembered_.find(client_id);
        if (known != remembered_.end()) {
            RC_ASSERT(fixture_.uncommitted().empty());
            RC_ASSERT(outcome.answer<SendReply>(1) == Result<SendReply>(known->second));
            return;
        }
        RC_ASSERT(fixture_.uncommitted().size() == std::size_t{1});
        said_.push_back(fixture_.uncommitted().front());
        fixture_.commit();
        if (!client_id.empty()) remembered_.emplace(client_id, reply_of(*said_.back()));
    }

private:
    RoomFixture fixture_;
    std::vector<MessagePtr> said_;
    std::map<std::string, SendReply> remembered_;
    std::uint64_t reigns_ = 1;
};

void retries_make_no_second_message() {
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 10));
    Lives lives;
    for (const int step : steps) {
        if (step < 4) {
            lives.send(std::string(1, static_cast<char>('a' + step)));
        } else if (step < 6) {
            lives.send({});
        } else if (step < 8) {
            lives.pass(std::chrono::minutes(step - 5) + 1ms);
        } else {
            lives.reopen();
        }
    }
}

}  // namespace

TEST_CASE("however often a room is opened anew, a retry in time gets the first reply") {
    CHECK(rc::check(retries_make_no_second_message));
}

}  // namespace chatx::engine
