#include "engine/room.h"

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

JoinReply joined(const Outcome& outcome, std::uint64_t request) {
    const auto reply = outcome.answer<JoinReply>(request);
    REQUIRE(reply);
    REQUIRE(*reply);
    return **reply;
}

std::optional<Reason> join_refusal(const Outcome& outcome, std::uint64_t request) {
    const auto reply = outcome.answer<JoinReply>(request);
    if (!reply || *reply) return std::nullopt;
    return reply->error().reason;
}

std::size_t index_of_reply(const Outcome& outcome) {
    const auto found = std::ranges::find_if(outcome.actions, [](const Action& action) {
        return std::holds_alternative<Replied>(action);
    });
    return static_cast<std::size_t>(found - outcome.actions.begin());
}

Ticket load_of(const Outcome& outcome) {
    REQUIRE(outcome.all<LoadHistory>().size() == 1);
    return outcome.all<LoadHistory>().front().ticket;
}

Resume since(std::uint64_t seq) {
    return {{}, Resume::Point{first_reign, Seq{seq}}, 0, false};
}

HistoryRange latest(std::uint32_t limit = 50) {
    return {{}, {}, {}, limit};
}

}  // namespace

// ---- join and leave ----

TEST_CASE("a join gets the head, the reign and who is here, itself included") {
    RoomFixture fixture;
    fixture.open();
    fixture.say(3);
    const auto outcome = fixture.join(1, member(1), "ann", {{}, {}, 2, false});
    const auto reply = joined(outcome, 1);
    CHECK(seqs_of(reply.messages) == numbers(2, 3));
    CHECK(reply.seq == Seq{3});
    CHECK(reply.epoch == first_reign);
    REQUIRE(reply.presence);
    CHECK(reply.presence->contains("ann"));
    CHECK(outcome.counted(Metric::room_join) == 1);
    CHECK(fixture.room().subscriber_count() == 1);
}

TEST_CASE("everybody is told of a join before the edge takes the member in") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1, 1), "ann");
    const auto outcome = fixture.join(2, member(1, 2), "bob");
    REQUIRE(outcome.all<Broadcast>().size() == 1);
    CHECK(std::holds_alternative<Broadcast>(outcome.actions.front()));
    CHECK(index_of_reply(outcome) > 0);
    CHECK(outcome.all<Broadcast>().front().edges == std::vector{EdgeId{1}, EdgeId{2}});
    CHECK(outcome.diffs().front().joins.contains("bob"));
}

TEST_CASE("a listener hears everything and is seen by nobody") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1), "ann");
    const auto outcome = fixture.join(2, member(2, 2), "bob", {}, false);
    CHECK(outcome.all<Broadcast>().empty());
    CHECK(joined(outcome, 2).presence == nullptr);
    CHECK(outcome.counted(Metric::room_join) == 0);
    fixture.send(3);
    const auto said = fixture.commit();
    CHECK(said.all<Broadcast>().front().edges == std::vector{EdgeId{1}, EdgeId{2}});
    CHECK(fixture.leave(member(2, 2)).actions.empty());
}

TEST_CASE("joining again is answered anew and changes nothing") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1), "ann", {}, true, "x");
    const auto again = fixture.join(2, member(1), "ann", {}, true, "x");
    CHECK(again.actions.size() == 1);
    CHECK(joined(again, 2).presence->at("ann").size() == 1);
    CHECK(fixture.room().subscriber_count() == 1);
    const auto renewed = fixture.join(3, member(1), "ann", {}, true, "y");
    REQUIRE(renewed.diffs().size() == 1);
    CHECK(renewed.diffs().front().leaves.size() == 1);
    CHECK(joined(renewed, 3).presence->at("ann").front().fields == "y");
}

TEST_CASE("another user on the same connection replaces the first") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1), "ann");
    const auto outcome = fixture.join(2, member(1), "bob");
    CHECK(outcome.diffs().front().leaves.contains("ann"));
    CHECK(outcome.counted(Metric::room_leave) == 1);
    CHECK(outcome.counted(Metric::room_join) == 1);
    CHECK(joined(outcome, 2).presence->size() == 1);
    CHECK(fixture.room().subscriber_count() == 1);
}

TEST_CASE("a user leaves with the last connection, and leaving twice is nothing") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1), "ann");
    fixture.join(2, member(2), "ann");
    const auto first = fixture.leave(member(1));
    CHECK(first.diffs().front().leaves.at("ann").size() == 1);
    CHECK(first.counted(Metric::room_leave) == 0);
    CHECK(fixture.leave(member(1)).actions.empty());
    const auto last = fixture.leave(member(2));
    CHECK(last.counted(Metric::room_leave) == 1);
    CHECK(last.all<Broadcast>().empty());
}

TEST_CASE("an edge that is gone takes all its members along") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1, 1), "ann");
    fixture.join(2, member(2, 1), "bob");
    fixture.join(3, member(1, 2), "cyd");
    const auto outcome =
        fixture.run([](Room& room, Step& step) { room.drop_edge(EdgeId{1}, step); });
    REQUIRE(outcome.diffs().size() == 1);
    CHECK(outcome.diffs().front().leaves.size() == 2);
    CHECK(outcome.counted(Metric::room_leave) == 2);
    CHECK(outcome.all<Broadcast>().front().edges == std::vector{EdgeId{2}});
}

TEST_CASE("a room takes as many members as it may") {
    RoomFixture fixture;
    fixture.options.members_max = 2;
    fixture.open();
    CHECK_FALSE(join_refusal(fixture.join(1, member(1)), 1));
    CHECK_FALSE(join_refusal(fixture.join(2, member(2)), 2));
    const auto refused = fixture.join(3, member(3));
    CHECK(join_refusal(refused, 3) == Reason::too_many_joins);
    CHECK(refused.counted(Metric::rejected) == 1);
    CHECK_FALSE(join_refusal(fixture.join(4, member(2)), 4));
    fixture.leave(member(1));
    CHECK_FALSE(join_refusal(fixture.join(5, member(3)), 5));
}

TEST_CASE("presence fields have a size limit") {
    RoomFixture fixture;
    fixture.options.meta_size_max = 8;
    fixture.open();
    CHECK_FALSE(join_refusal(fixture.join(1, member(1), "ann", {}, true, "1234567"), 1));
    CHECK_FALSE(join_refusal(fixture.join(2, member(1), "ann", {}, true, "12345678"), 2));
    const auto refused = fixture.join(3, member(1), "ann", {}, true, "123456789");
    CHECK(join_refusal(refused, 3) == Reason::message_too_large);
}

TEST_CASE("a message goes once to each edge, and to nobody when nobody is there") {
    RoomFixture fixture;
    fixture.open();
    fixture.send(1);
    CHECK(fixture.commit().all<Broadcast>().empty());
    fixture.join(2, member(1, 3));
    fixture.join(3, member(2, 3));
    fixture.join(4, member(1, 1));
    fixture.send(5);
    const auto outcome = fixture.commit();
    REQUIRE(outcome.all<Broadcast>().size() == 1);
    CHECK(outcome.all<Broadcast>().front().edges == std::vector{EdgeId{1}, EdgeId{3}});
}

TEST_CASE("typing is passed on from visible members only") {
    RoomFixture fixture;
    fixture.open();
    const auto type = [&](MemberKey key, const char* user) {
        return fixture.run([&](Room& room, Step& step) {
            room.typing({key, user_id(user)}, step);
        });
    };
    CHECK(type(member(1), "ann").actions.empty());
    fixture.join(1, member(1), "ann");
    fixture.join(2, member(2, 2), "bob", {}, false);
    CHECK(type(member(1), "bob").actions.empty());
    CHECK(type(member(2, 2), "bob").actions.empty());
    const auto outcome = type(member(1), "ann");
    REQUIRE(outcome.all<Broadcast>().size() == 1);
    CHECK(outcome.all<Broadcast>().front().edges == std::vector{EdgeId{1}, EdgeId{2}});
    CHECK(std::get<Typing>(outcome.all<Broadcast>().front().event).member == member(1));
}

// ---- the archive ----

TEST_CASE("a join that needs the archive takes effect when it is read, up to the head of then") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open_at(10, 4);
    const auto waiting = fixture.join(1, member(1), "ann", since(3));
    CHECK(waiting.actions.size() == 1);
    CHECK(fixture.room().subscriber_count() == 0);
    fixture.send(2);
    const auto said = fixture.commit();
    CHECK(said.all<Broadcast>().empty());
    const auto asked = waiting.all<LoadHistory>().front();
    const auto outcome = fixture.loaded(asked.ticket, page_of(messages_at(1, 10), asked.range));
    const auto reply = joined(outcome, 1);
    CHECK(reply.recovered);
    CHECK(seqs_of(reply.messages) == numbers(4, 11));
    CHECK(reply.seq == Seq{11});
    CHECK(reply.presence->contains("ann"));
    fixture.send(3);
    CHECK(seqs_of(fixture.commit().broadcast_messages()) == numbers(12, 12));
    CHECK(fixture.loaded(asked.ticket, HistoryPage{}).actions.empty());
}

TEST_CASE(
    "when the archive fails, answers nonsense or is silent the join succeeds with what is here") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open_at(10, 4);
    const auto check = [&](const Outcome& outcome, std::uint64_t request, Metric metric) {
        const auto reply = joined(outcome, request);
        CHECK_FALSE(reply.recovered);
        CHECK(seqs_of(reply.messages) == numbers(7, 10));
        CHECK(outcome.counted(metric, "persistence") == 1);
    };
    const auto failed = load_of(fixture.join(1, member(1), "ann", since(3)));
    check(fixture.loaded(failed, Reason::adapter_error), 1, Metric::adapter_error);
    const auto nonsense = load_of(fixture.join(2, member(2), "ann", since(3)));
    check(
        fixture.loaded(nonsense, HistoryPage{{nullptr}, false, true, {}}),
        2,
        Metric::adapter_error);
    fixture.join(3, member(3), "ann", since(3));
    CHECK(fixture.room().deadline() == fixture.now + 5s);
    fixture.pass(5s - 1ns);
    CHECK(fixture.tick().actions.empty());
    fixture.pass(1ns);
    check(fixture.tick(), 3, Metric::adapter_timeout);
}

TEST_CASE("a leave, a later join or the end of the edge puts an end to a join that waits") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open_at(10, 4);
    const auto first = load_of(fixture.join(1, member(1), "ann", since(3)));
    CHECK(join_refusal(fixture.leave(member(1)), 1) == Reason::room_unavailable);
    CHECK(fixture.loaded(first, HistoryPage{}).actions.empty());
    CHECK(fixture.room().subscriber_count() == 0);
    fixture.join(2, member(1), "ann", since(3));
    const auto later = fixture.join(3, member(1), "ann", since(10));
    CHECK(join_refusal(later, 2) == Reason::room_unavailable);
    CHECK(joined(later, 3).recovered);
    fixture.join(4, member(2), "ann", since(3));
    const auto dropped =
        fixture.run([](Room& room, Step& step) { room.drop_edge(EdgeId{1}, step); });
    CHECK(join_refusal(dropped, 4) == Reason::room_unavailable);
    CHECK(fixture.room().subscriber_count() == 0);
    CHECK_FALSE(fixture.room().deadline());
}

TEST_CASE("joins that wait count as members") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.options.members_max = 1;
    fixture.open_at(10, 4);
    fixture.join(1, member(1), "ann", since(3));
    CHECK(join_refusal(fixture.join(2, member(2)), 2) == Reason::too_many_joins);
}

TEST_CASE("history is read from memory or from the archive") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open_at(10, 4);
    const auto here = fixture.read(1, latest(4)).answer<HistoryPage>(1);
    REQUIRE(here);
    CHECK(seqs_of((*here)->messages) == numbers(7, 10));
    const auto waiting = fixture.read(2, latest(6));
    const auto asked = waiting.all<LoadHistory>().front();
    CHECK_FALSE(waiting.answer<HistoryPage>(2));
    const auto loaded = fixture.loaded(asked.ticket, page_of(messages_at(1, 10), asked.range));
    CHECK(seqs_of((*loaded.answer<HistoryPage>(2))->messages) == numbers(5, 10));
}

TEST_CASE("a read that the archive does not answer fails") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open_at(10, 4);
    const auto failed = fixture.loaded(load_of(fixture.read(1, latest())), Reason::adapter_error);
    CHECK(failed.answer<HistoryPage>(1)->error().reason == Reason::adapter_error);
    fixture.read(2, latest());
    fixture.pass(5s);
    const auto late = fixture.tick();
    CHECK(late.answer<HistoryPage>(2)->error().reason == Reason::adapter_error);
    CHECK(late.counted(Metric::adapter_timeout, "persistence") == 1);
}

TEST_CASE("who was told of the new reign after a failed commit is recovered under it") {
    RoomFixture fixture;
    fixture.open();
    fixture.say(2);
    fixture.send(1);
    fixture.run([](Room& room, Step& step) { room.fail_uncommitted({1, 5, 0}, step); });
    const auto told = joined(fixture.join(2, member(1)), 2);
    CHECK(told.epoch == Epoch{1, 5, 0});
    const Resume resume{{}, Resume::Point{told.epoch, told.seq}, 0, false};
    fixture.uncommitted().clear();
    fixture.say(1);
    const auto reply = joined(fixture.join(3, member(1), "ann", resume), 3);
    CHECK(reply.recovered);
    CHECK(seqs_of(reply.messages) == numbers(3, 3));
    const Resume lost{{}, Resume::Point{first_reign, Seq{3}}, 0, false};
    CHECK_FALSE(joined(fixture.join(4, member(1), "ann", lost), 4).recovered);
}

TEST_CASE("only so many joins and reads wait for the archive") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.options.history_waiters_max = 2;
    fixture.open_at(10, 4);
    const auto first = load_of(fixture.read(1, latest()));
    fixture.join(2, member(2), "ann", since(3));
    CHECK(
        fixture.read(3, latest()).answer<HistoryPage>(3)->error().reason == Reason::queue_overflow);
    const auto refused = fixture.join(4, member(4), "ann", since(3));
    CHECK(join_refusal(refused, 4) == Reason::queue_overflow);
    CHECK(refused.counted(Metric::queue_overflow) == 1);
    CHECK_FALSE(join_refusal(fixture.join(5, member(5)), 5));
    fixture.loaded(first, HistoryPage{});
    CHECK(fixture.read(6, latest()).all<LoadHistory>().size() == 1);
}

TEST_CASE("tickets of checks and of loads are never the same") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.use_chain({"auth"});
    fixture.open_at(10, 4);
    const auto check = fixture.send(1).all<CheckDraft>().front().ticket;
    const auto load = load_of(fixture.read(2, latest()));
    CHECK(check != load);
    CHECK(fixture.loaded(check, HistoryPage{}).actions.empty());
    CHECK(fixture.verdict(load).actions.empty());
}

// ---- opening and closing ----

TEST_CASE("a room can close when nobody is in it, nothing waits and all is archived") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open();
    CHECK(fixture.room().can_close());
    fixture.join(1, member(1));
    CHECK_FALSE(fixture.room().can_close());
    fixture.leave(member(1));
    CHECK(fixture.room().can_close());
    fixture.send(2, "hello", "c1");
    CHECK_FALSE(fixture.room().can_close());
    fixture.commit();
    CHECK_FALSE(fixture.room().can_close());
    fixture.room().on_archived(Seq{1});
    CHECK(fixture.room().can_close());
    fixture.read(3, latest());
    CHECK(fixture.room().can_close());
}

TEST_CASE("a room that waits for the archive cannot close") {
    RoomFixture fixture;
    fixture.options.archive = true;
    fixture.open_at(10, 4);
    fixture.room().on_archived(Seq{10});
    CHECK(fixture.room().can_close());
    const auto ticket = load_of(fixture.read(1, latest()));
    CHECK_FALSE(fixture.room().can_close());
    fixture.loaded(ticket, HistoryPage{});
    CHECK(fixture.room().can_close());
}

TEST_CASE("without an archive a room in which something was said stays") {
    RoomFixture fixture;
    fixture.open();
    CHECK(fixture.room().can_close());
    fixture.say(1);
    CHECK_FALSE(fixture.room().can_close());
}

TEST_CASE("a room is idle since it was last used") {
    RoomFixture fixture;
    fixture.open();
    CHECK(fixture.room().idle_since() == start);
    fixture.pass(1s);
    fixture.join(1, member(1));
    fixture.pass(1s);
    fixture.leave(member(1));
    fixture.pass(1s);
    fixture.tick();
    CHECK(fixture.room().idle_since() == start + 2s);
}

TEST_CASE("a room tells what its messages take in memory") {
    RoomFixture fixture;
    fixture.open();
    CHECK(fixture.room().memory_bytes() == 0);
    fixture.say(1);
    CHECK(fixture.room().memory_bytes() >= sizeof(Message) + 5);
}

TEST_CASE("the same inputs give the same actions") {
    const auto run = [] {
        RoomFixture fixture;
        fixture.use_chain({"moderation"});
        fixture.open();
        std::string trace;
        const auto note = [&](const Outcome& outcome) {
            for (const auto& action : outcome.actions)
                trace += std::to_string(action.index());
            for (const auto& diff : outcome.diffs()) {
                for (const auto& [user, metas] : diff.joins)
                    trace += user + metas.front().ref;
            }
        };
        for (std::uint64_t i = 0; i < 20; ++i) {
            note(fixture.join(
                i, member(i, static_cast<std::uint16_t>(i % 3)), "u" + std::to_string(i % 5)));
            note(fixture.send(100 + i));
        }
        fixture.pass(1s);
        note(fixture.tick());
        return trace;
    };
    CHECK(run() == run());
}

}  // namespace chatx::engine
