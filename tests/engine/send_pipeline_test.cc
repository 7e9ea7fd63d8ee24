#include "engine/send_pipeline.h"

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

std::vector<std::string> contents_of(const Outcome& outcome) {
    std::vector<std::string> contents;
    for (const auto& proposed : outcome.all<Proposed>())
        contents.push_back(proposed.message->content);
    return contents;
}

Ticket ticket_of(const Outcome& outcome) {
    REQUIRE(outcome.all<CheckDraft>().size() == 1);
    return outcome.all<CheckDraft>().front().ticket;
}

using Contents = std::vector<std::string>;

}  // namespace

TEST_CASE("a send is proposed with the next place, a new id and the wall time") {
    RoomFixture fixture;
    fixture.open();
    const auto outcome = fixture.send(1, "hi", "c1");
    REQUIRE(outcome.all<Proposed>().size() == 1);
    const Message& message = *outcome.all<Proposed>().front().message;
    CHECK(message.seq == Seq{1});
    CHECK(message.epoch == first_reign);
    CHECK(message.content == "hi");
    CHECK(message.client_id == "c1");
    CHECK(message.inserted_at == fixture.wall);
    CHECK(message.id.value > 0);
    CHECK_FALSE(outcome.answer<SendReply>(1));
    CHECK(fixture.room().head() == Seq{0});
    CHECK(outcome.counted(Metric::queue_size) == 1);
}

TEST_CASE("the sender is answered when its message is applied, behind the broadcast") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(1, member(1));
    fixture.send(2);
    const auto outcome = fixture.commit();
    CHECK(std::holds_alternative<Broadcast>(outcome.actions.at(0)));
    const auto reply = outcome.answer<SendReply>(2);
    REQUIRE(reply);
    CHECK((*reply)->seq == Seq{1});
    REQUIRE(outcome.all<Deliver>().size() == 1);
    CHECK(outcome.all<Deliver>().front().message->seq == Seq{1});
    CHECK(outcome.counted(Metric::message_sent) == 1);
    CHECK(outcome.counted(Metric::broadcast) == 1);
    CHECK(outcome.all<Event>().size() == 3);
    CHECK(fixture.room().queue_size() == 0);
}

TEST_CASE("inserted_at never goes back, and ids grow though the clock does not") {
    RoomFixture fixture;
    fixture.open();
    fixture.send(1);
    fixture.wall -= 1h;
    fixture.send(2);
    const auto& proposed = fixture.uncommitted();
    CHECK(proposed.at(1)->inserted_at == proposed.at(0)->inserted_at);
    CHECK(proposed.at(1)->id > proposed.at(0)->id);
    CHECK(proposed.at(1)->seq == Seq{2});
}

TEST_CASE("ids and times go on above those of the state") {
    RoomFixture fixture;
    const MessageId last{std::uint64_t{1} << 62};
    const WallTime later = start_wall + 1h;
    fixture.open({{1, 2, 0}, Seq{7}, last, later, {}, {}, {}, {}});
    fixture.send(1);
    CHECK(fixture.uncommitted().at(0)->id > last);
    CHECK(fixture.uncommitted().at(0)->inserted_at == later);
    CHECK(fixture.uncommitted().at(0)->seq == Seq{8});
}

TEST_CASE("a bad send is refused before anything else") {
    RoomFixture fixture;
    fixture.options.message_size_limit = 4;
    fixture.use_chain({"auth"});
    fixture.open();
    CHECK(fixture.send(1, "").refusal(1) == Reason::invalid_content);
    CHECK(fixture.send(2, "12345").refusal(2) == Reason::message_too_large);
    CHECK(fixture.send(3, "\xff").refusal(3) == Reason::invalid_utf8);
    CHECK(fixture.send(4, "1", std::string(129, 'c')).refusal(4) == Reason::invalid_content);
    CHECK(fixture.send(5, "1234", std::string(128, 'c')).all<CheckDraft>().size() == 1);
    CHECK(fixture.send(6, "12345").counted(Metric::rejected) == 1);
}

// ---- dedupe ----

TEST_CASE("a retry of an applied send gets the first reply and makes no second message") {
    RoomFixture fixture;
    fixture.open();
    fixture.send(1, "hi", "c1");
    const auto first = fixture.commit().answer<SendReply>(1);
    fixture.pass(10min - 1ns);
    const auto retry = fixture.send(2, "other content", "c1");
    CHECK(retry.answer<SendReply>(2) == first);
    CHECK(retry.all<Proposed>().empty());
    CHECK(retry.counted(Metric::dedupe_hit) == 1);
    fixture.pass(1ns);
    CHECK(fixture.send(3, "hi", "c1").all<Proposed>().size() == 1);
}

TEST_CASE("the client_ids of two users do not meet") {
    RoomFixture fixture;
    fixture.open();
    fixture.send(1, "hi", "c1", "ann");
    CHECK(fixture.send(2, "hi", "c1", "bob").all<Proposed>().size() == 1);
}

TEST_CASE("a retry of a pending send waits for its outcome") {
    RoomFixture fixture;
    fixture.use_chain({"auth"});
    fixture.open();
    const auto ticket = ticket_of(fixture.send(1, "hi", "c1"));
    const auto retry = fixture.send(2, "hi", "c1");
    CHECK(retry.all<CheckDraft>().empty());
    CHECK_FALSE(retry.answer<SendReply>(2));
    fixture.verdict(ticket);
    CHECK_FALSE(fixture.send(3, "hi", "c1").answer<SendReply>(3));
    const auto outcome = fixture.commit();
    REQUIRE(outcome.answer<SendReply>(1));
    CHECK(outcome.answer<SendReply>(2) == outcome.answer<SendReply>(1));
    CHECK(outcome.answer<SendReply>(3) == outcome.answer<SendReply>(1));
}

TEST_CASE("a retry of a pending send that is rejected is rejected, and the next one starts anew") {
    RoomFixture fixture;
    fixture.use_chain({"auth"});
    fixture.open();
    const auto ticket = ticket_of(fixture.send(1, "hi", "c1"));
    fixture.send(2, "hi", "c1");
    const auto outcome = fixture.verdict(ticket, Verdict::reject({Reason::muted, {}, {}}));
    CHECK(outcome.refusal(1) == Reason::muted);
    CHECK(outcome.refusal(2) == Reason::muted);
    CHECK(fixture.send(3, "hi", "c1").all<CheckDraft>().size() == 1);
}

TEST_CASE("only so many retries wait for one send") {
    RoomFixture fixture;
    fixture.options.dedupe.waiters_max = 2;
    fixture.open();
    fixture.send(1, "hi", "c1");
    CHECK_FALSE(fixture.send(2, "hi", "c1").answer<SendReply>(2));
    CHECK_FALSE(fixture.send(3, "hi", "c1").answer<SendReply>(3));
    CHECK(fixture.send(4, "hi", "c1").refusal(4) == Reason::queue_overflow);
    CHECK(fixture.commit().all<Replied>().size() == 3);
}

TEST_CASE("only so many client_ids are remembered, and sends without one go on") {
    RoomFixture fixture;
    fixture.options.dedupe = {.window = 10min, .entries_max = 2, .waiters_max = 1};
    fixture.open();
    fixture.send(1, "hi", "c1");
    fixture.commit();
    fixture.pass(1min);
    fixture.send(2, "hi", "c2");
    const auto refused = fixture.send(3, "hi", "c3");
    CHECK(refused.refusal(3) == Reason::queue_overflow);
    CHECK(refused.answer<SendReply>(3)->error().retry_after == 9min);
    CHECK(refused.counted(Metric::queue_overflow) == 1);
    CHECK(fixture.send(4, "hi").all<Proposed>().size() == 1);
    fixture.pass(9min);
    CHECK(fixture.send(5, "hi", "c3").all<Proposed>().size() == 1);
}

// ---- checks ----

TEST_CASE("stages run in the order of the chain, each after the one before has passed") {
    RoomFixture fixture;
    fixture.use_chain({"auth", "rate_limit", "moderation", "spam"});
    fixture.open();
    const auto sent = fixture.send(1, "hi");
    REQUIRE(sent.all<CheckDraft>().size() == 1);
    CHECK(sent.all<CheckDraft>().front().stage == 0);
    CHECK(sent.all<CheckDraft>().front().draft.content == "hi");
    const auto second = fixture.verdict(ticket_of(sent));
    CHECK(second.all<CheckDraft>().front().stage == 2);
    const auto third = fixture.verdict(ticket_of(second));
    CHECK(third.all<CheckDraft>().front().stage == 3);
    CHECK(fixture.verdict(ticket_of(third)).all<Proposed>().size() == 1);
}

TEST_CASE("checks of several sends run at the same time, and each keeps its place") {
    RoomFixture fixture;
    fixture.use_chain({"moderation"});
    fixture.open();
    const auto first = ticket_of(fixture.send(1, "one"));
    const auto second = ticket_of(fixture.send(2, "two"));
    const auto third = ticket_of(fixture.send(3, "three"));
    CHECK(fixture.verdict(third).all<Proposed>().empty());
    CHECK(contents_of(fixture.verdict(first)) == Contents{"one"});
    CHECK(contents_of(fixture.verdict(second)) == Contents{"two", "three"});
}

TEST_CASE("a send that is rejected lets those behind it go") {
    RoomFixture fixture;
    fixture.use_chain({"moderation"});
    fixture.open();
    const auto first = ticket_of(fixture.send(1, "one"));
    fixture.verdict(ticket_of(fixture.send(2, "two")));
    const auto outcome = fixture.verdict(first, Verdict::reject({Reason::blocked, "no", {}}));
    CHECK(outcome.refusal(1) == Reason::blocked);
    CHECK(contents_of(outcome) == Contents{"two"});
    CHECK(outcome.counted(Metric::rejected) == 1);
    CHECK(outcome.counted(Metric::queue_size) == 1);
}

TEST_CASE("a moderator may replace the content, and later stages see the new one") {
    RoomFixture fixture;
    fixture.use_chain({"moderation", "spam"});
    fixture.open();
    const auto outcome =
        fixture.verdict(ticket_of(fixture.send(1, "damn")), Verdict::replace("darn"));
    CHECK(outcome.all<CheckDraft>().front().draft.content == "darn");
    CHECK(contents_of(fixture.verdict(ticket_of(outcome))) == Contents{"darn"});
}

TEST_CASE(
    "a replacement that is no content is an adapter's error, and the original does not pass") {
    RoomFixture fixture;
    fixture.options.message_size_limit = 4;
    fixture.options.moderation_fails_open = true;
    fixture.use_chain({"moderation"});
    fixture.open();
    for (const std::string bad : {"", "12345", "\xff"}) {
        const auto outcome =
            fixture.verdict(ticket_of(fixture.send(1, "damn")), Verdict::replace(bad));
        CHECK(outcome.refusal(1) == Reason::adapter_error);
        CHECK(outcome.counted(Metric::adapter_error, "moderation") == 1);
    }
}

TEST_CASE("a nonsense verdict is an adapter's error") {
    RoomFixture fixture;
    fixture.use_chain({"spam"});
    fixture.open();
    const Verdict nonsense{static_cast<Verdict::Kind>(77), {}, {}};
    const auto outcome = fixture.verdict(ticket_of(fixture.send(1)), nonsense);
    CHECK(outcome.refusal(1) == Reason::adapter_error);
    CHECK(outcome.counted(Metric::adapter_error, "middleware") == 1);
}

TEST_CASE("a check without an answer is counted and refuses the send when its second is over") {
    for (const std::string stage : {"auth", "moderation", "spam"}) {
        RoomFixture fixture;
        fixture.use_chain({stage});
        fixture.open();
        const auto ticket = ticket_of(fixture.send(1));
        CHECK(fixture.room().deadline() == fixture.now + 1s);
        fixture.pass(1s - 1ns);
        CHECK(fixture.tick().actions.empty());
        fixture.pass(1ns);
        const auto outcome = fixture.tick();
        CHECK(outcome.refusal(1) == Reason::adapter_error);
        CHECK(
            outcome.counted(Metric::adapter_timeout, stage == "spam" ? "middleware" : stage) == 1);
        CHECK(fixture.verdict(ticket).actions.empty());
        CHECK(fixture.room().queue_size() == 0);
    }
}

TEST_CASE("a check that failed refuses the send at once") {
    RoomFixture fixture;
    fixture.use_chain({"auth"});
    fixture.open();
    const auto ticket = ticket_of(fixture.send(1));
    const auto fail = [&](Room& room, Step& step) { room.on_check_failed(ticket, step); };
    const auto outcome = fixture.run(fail);
    CHECK(outcome.refusal(1) == Reason::adapter_error);
    CHECK(outcome.counted(Metric::adapter_error, "auth") == 1);
    CHECK(fixture.run(fail).actions.empty());
}

TEST_CASE("moderation that fails open lets the message pass, auth never does") {
    RoomFixture fixture;
    fixture.options.moderation_fails_open = true;
    fixture.use_chain({"moderation", "auth"});
    fixture.open();
    fixture.send(1);
    fixture.pass(1s);
    const auto outcome = fixture.tick();
    CHECK(outcome.counted(Metric::adapter_timeout, "moderation") == 1);
    REQUIRE(outcome.all<CheckDraft>().size() == 1);
    CHECK(outcome.all<CheckDraft>().front().stage == 1);
    fixture.pass(1s);
    CHECK(fixture.tick().refusal(1) == Reason::adapter_error);
}

TEST_CASE("a verdict for no check is ignored") {
    RoomFixture fixture;
    fixture.open();
    CHECK(fixture.verdict(99).actions.empty());
}

TEST_CASE("a user beyond the rate is refused and told how long to wait") {
    RoomFixture fixture;
    fixture.options.rate_limit = {.messages_per_sec = 10, .burst = 2, .buckets_max = 9};
    fixture.use_chain({"rate_limit"});
    fixture.open();
    fixture.send(1);
    fixture.send(2);
    const auto refused = fixture.send(3);
    CHECK(refused.refusal(3) == Reason::rate_limited);
    CHECK(refused.answer<SendReply>(3)->error().retry_after == 100ms);
    CHECK(refused.counted(Metric::rate_limit_hit) == 1);
    CHECK(fixture.send(4, "hi", {}, "bob").all<Proposed>().size() == 1);
    fixture.pass(100ms);
    CHECK(fixture.send(5).all<Proposed>().size() == 1);
}

TEST_CASE("without the rate_limit stage nobody is limited") {
    RoomFixture fixture;
    fixture.options.rate_limit = {.messages_per_sec = 1, .burst = 1, .buckets_max = 1};
    fixture.open();
    for (std::uint64_t request = 1; request <= 10; ++request)
        fixture.send(request);
    CHECK(fixture.uncommitted().size() == 10);
}

// ---- queue and deadlines ----

TEST_CASE("the queue holds its limit, counting sends that wait for checks or for commit") {
    RoomFixture fixture;
    fixture.options.queue_limit = 3;
    fixture.use_chain({"moderation"});
    fixture.open();
    fixture.verdict(ticket_of(fixture.send(1)));
    fixture.send(2);
    CHECK_FALSE(fixture.send(3).refusal(3));
    const auto refused = fixture.send(4);
    CHECK(refused.refusal(4) == Reason::queue_overflow);
    CHECK(refused.answer<SendReply>(4)->error().retry_after == 100ms);
    CHECK(refused.counted(Metric::queue_overflow) == 1);
    fixture.commit();
    CHECK_FALSE(fixture.send(5).refusal(5));
}

TEST_CASE("a full queue says to wait about as long as its first send has waited") {
    RoomFixture fixture;
    fixture.options.queue_limit = 1;
    fixture.open();
    fixture.send(1);
    fixture.pass(2s);
    CHECK(fixture.send(2).answer<SendReply>(2)->error().retry_after == 2s);
    fixture.pass(60s);
    CHECK(fixture.send(3).answer<SendReply>(3)->error().retry_after == 5s);
}

TEST_CASE("a retry is answered though the queue is full") {
    RoomFixture fixture;
    fixture.options.queue_limit = 1;
    fixture.open();
    fixture.send(1, "hi", "c1");
    fixture.commit();
    fixture.send(2);
    CHECK(fixture.send(3, "hi", "c1").answer<SendReply>(3));
}

TEST_CASE("a send that is not proposed in time is dropped, and its retry starts anew") {
    RoomFixture fixture;
    fixture.options.check_deadline = 60s;
    fixture.use_chain({"moderation"});
    fixture.open();
    const auto ticket = ticket_of(fixture.send(1, "hi", "c1"));
    fixture.pass(5s - 1ns);
    CHECK(fixture.tick().actions.empty());
    fixture.pass(1ns);
    CHECK(fixture.tick().refusal(1) == Reason::timeout);
    CHECK(fixture.verdict(ticket).actions.empty());
    CHECK(fixture.send(2, "hi", "c1").all<CheckDraft>().size() == 1);
}

TEST_CASE("a send whose turn comes too late is dropped also when no time was let pass") {
    RoomFixture fixture;
    fixture.options.check_deadline = 60s;
    fixture.use_chain({"moderation"});
    fixture.open();
    const auto ticket = ticket_of(fixture.send(1));
    fixture.pass(5s);
    const auto outcome = fixture.verdict(ticket);
    CHECK(outcome.refusal(1) == Reason::timeout);
    CHECK(outcome.all<Proposed>().empty());
}

TEST_CASE(
    "a proposed send is told timeout once, is applied all the same, and its retry learns it") {
    RoomFixture fixture;
    fixture.open();
    fixture.join(9, member(1));
    fixture.send(1, "hi", "c1");
    fixture.pass(3s);
    fixture.send(2, "hi", "c1");
    fixture.pass(2s);
    const auto late = fixture.tick();
    CHECK(late.refusal(1) == Reason::timeout);
    CHECK_FALSE(late.answer<SendReply>(2));
    CHECK(fixture.room().queue_size() == 1);
    const auto applied = fixture.commit();
    CHECK_FALSE(applied.answer<SendReply>(1));
    CHECK(applied.answer<SendReply>(2));
    CHECK(applied.broadcast_messages().size() == 1);
    CHECK(fixture.send(3, "hi", "c1").answer<SendReply>(3) == applied.answer<SendReply>(2));
}

TEST_CASE(
    "what cannot be committed is refused, and the places are given anew under a later epoch") {
    RoomFixture fixture;
    fixture.open();
    fixture.send(1, "one", "c1");
    fixture.send(2, "two");
    fixture.commit();
    fixture.send(3, "three");
    const auto outcome = fixture.run([](Room& room, Step& step) {
        room.fail_uncommitted({1, 5, 0}, step);
    });
    CHECK(outcome.refusal(2) == Reason::room_unavailable);
    CHECK(outcome.refusal(3) == Reason::room_unavailable);
    CHECK_FALSE(outcome.answer<SendReply>(1));
    CHECK(fixture.room().epoch() == Epoch{1, 5, 0});
    CHECK(fixture.room().queue_size() == 0);
    const auto again = fixture.send(4, "two");
    const Message& message = *again.all<Proposed>().front().message;
    CHECK(message.seq == Seq{2});
    CHECK(message.epoch == Epoch{1, 5, 0});
    CHECK(fixture.send(5, "one", "c1").answer<SendReply>(5));
}

TEST_CASE("a failed commit leaves sends that wait for checks, which go on under the new epoch") {
    RoomFixture fixture;
    fixture.use_chain({"moderation"});
    fixture.open();
    fixture.verdict(ticket_of(fixture.send(1, "one", "c1")));
    const auto ticket = ticket_of(fixture.send(2, "two"));
    fixture.run([](Room& room, Step& step) { room.fail_uncommitted({1, 5, 0}, step); });
    const auto outcome = fixture.verdict(ticket);
    CHECK(outcome.all<Proposed>().front().message->epoch == Epoch{1, 5, 0});
    CHECK(outcome.all<Proposed>().front().message->seq == Seq{1});
    CHECK(fixture.send(3, "one", "c1").all<CheckDraft>().size() == 1);
}

TEST_CASE("only the next entry is applied") {
    RoomFixture fixture;
    fixture.open();
    fixture.send(1);
    fixture.send(2);
    const auto first = fixture.uncommitted().at(0);
    const auto second = fixture.uncommitted().at(1);
    CHECK(fixture.apply(nullptr).actions.empty());
    CHECK(fixture.apply(second).actions.empty());
    CHECK(fixture.apply(message_at(1)).actions.empty());
    auto elsewhere = *first;
    elsewhere.room = room_id("elsewhere");
    CHECK(fixture.apply(std::make_shared<const Message>(elsewhere)).actions.empty());
    CHECK(fixture.apply(first).answer<SendReply>(1));
    CHECK(fixture.apply(first).actions.empty());
    CHECK(fixture.apply(second).answer<SendReply>(2));
}

TEST_CASE(
    "an entry of an earlier owner is applied when nothing is proposed, and the order goes on "
    "behind") {
    RoomFixture fixture;
    fixture.open();
    const auto foreign = message_at(1, "c1");
    CHECK(fixture.apply(foreign).all<Deliver>().size() == 1);
    CHECK(fixture.send(1, "hi", "c1").answer<SendReply>(1));
    fixture.send(2);
    CHECK(fixture.uncommitted().at(0)->seq == Seq{2});
    CHECK(fixture.uncommitted().at(0)->id > foreign->id);
}

TEST_CASE("memory of retries and buckets is dropped when the last of it is due") {
    RoomFixture fixture;
    fixture.options.rate_limit = {.messages_per_sec = 10, .burst = 20, .buckets_max = 9};
    fixture.use_chain({"rate_limit"});
    fixture.open();
    fixture.send(1, "hi", "c1");
    fixture.commit();
    CHECK(fixture.room().deadline() == fixture.now + 100ms);
    fixture.pass(100ms);
    CHECK(fixture.tick().actions.empty());
    CHECK(fixture.room().deadline() == fixture.now + 10min - 100ms);
    fixture.pass(10min);
    fixture.tick();
    CHECK_FALSE(fixture.room().deadline());
}

namespace {

void sends_keep_order_of_arrival() {
    const auto choices =
        *rc::gen::container<std::vector<std::size_t>>(rc::gen::arbitrary<std::size_t>());
    RoomFixture fixture;
    fixture.use_chain({"auth", "moderation"});
    fixture.open();
    std::vector<Ticket> waiting;
    std::uint64_t sent = 0;
    std::vector<int> proposed;
    std::vector<std::uint64_t> answered;
    const auto note = [&](const Outcome& outcome) {
        for (const auto& check : outcome.all<CheckDraft>())
            waiting.push_back(check.ticket);
        for (const auto& text : contents_of(outcome))
            proposed.push_back(std::stoi(text));
        for (const auto& replied : outcome.all<Replied>())
            answered.push_back(replied.to.request);
    };
    for (const std::size_t choice : choices) {
        if (waiting.empty() || choice % 4 == 0) {
            ++sent;
            note(fixture.send(sent, std::to_string(sent)));
            continue;
        }
        const auto picked =
            waiting.begin() + static_cast<std::ptrdiff_t>(choice / 4 % waiting.size());
        const Ticket ticket = *picked;
        waiting.erase(picked);
        note(fixture.verdict(ticket, choice % 4 == 1 ? Verdict::reject({}) : Verdict::pass()));
        if (choice % 4 == 2 && !fixture.uncommitted().empty()) note(fixture.commit());
    }
    fixture.pass(1s);
    note(fixture.tick());
    while (!fixture.uncommitted().empty())
        note(fixture.commit());
    RC_ASSERT(std::ranges::is_sorted(proposed));
    std::ranges::sort(answered);
    RC_ASSERT(answered == numbers(1, sent));
    RC_ASSERT(fixture.room().queue_size() == 0U);
    RC_ASSERT(fixture.room().head().value == proposed.size());
}

}  // namespace

TEST_CASE(
    "in whatever order verdicts come, accepted sends keep the order of arrival and all are "
    "answered") {
    CHECK(rc::check(sends_keep_order_of_arrival));
}

}  // namespace chatx::engine
