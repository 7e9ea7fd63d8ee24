#include "node/room_host.h"

#include "tests/support/local_node.h"
#include "tests/support/messages.h"
#include "tests/support/room_talk.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::test {

namespace {

using namespace std::chrono_literals;

/// The place that a send with this client id gets, or has already.
std::string reply_to(LocalNode& node, std::uint64_t number) {
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    node.settle();
    (void)client.hear();
    client.say(say_once("a", number));
    node.settle();
    std::string reply;
    for (const std::string& frame : client.hear()) {
        if (frame.find(R"("phx_reply")") != frame.npos) reply = frame;
    }
    client.hang_up();
    node.settle();
    return reply;
}

bool names(const std::string& reply, const Message& message) {
    return reply.find(
               R"("id":")" + to_text(message.id) + R"(","seq":)" + std::to_string(message.seq.value)
               + ",")
           != reply.npos;
}

}  // namespace

TEST_CASE("a shard holds so many rooms and refuses the next; one that closed makes place") {
    LocalNode::Options options;
    options.rooms.rooms_max = 2;
    options.rooms.room_idle = 1s;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    for (const std::string_view room : {"a", "b", "c"})
        client.say(join(room));
    node.settle();
    CHECK(node.core(0).rooms().room_count() == 2);
    CHECK(heard(client, R"({"reason":"room_unavailable","retry_after_ms":1000})"));

    client.say(R"(["1","3","room:a","phx_leave",{}])");
    node.advance(2s);
    CHECK(node.core(0).rooms().room_count() == 1);
    client.say(join("c"));
    node.settle();
    CHECK(node.room(room_named("c"))->subscriber_count() == 1);
}

TEST_CASE(
    "requests wait for a room that is being opened up to a bound, and a goodbye always counts") {
    LocalNode::Options options;
    options.store = true;
    options.rooms.room.queue_limit = 2;
    LocalNode node(options);
    node.hold<node::OpenRoom>();
    std::vector<LocalClient*> clients;
    for (const std::string_view name : {"ann", "bob", "cat"}) {
        clients.push_back(&node.connect(name));
        clients.back()->say(join("a"));
    }
    node.settle();
    CHECK(heard(*clients[2], R"({"reason":"queue_overflow","retry_after_ms":250})"));
    CHECK(clients[0]->hear().empty());

    clients[0]->hang_up();
    node.settle();
    node.release<node::OpenRoom>();
    node.settle();
    const auto presence = node.room(room_named("a"))->presence().state();
    CHECK(presence->size() == 1);
    CHECK(presence->contains("bob"));
}

TEST_CASE("who waits for a room that is not opened in time is told, and may try again") {
    LocalNode::Options options;
    options.store = true;
    LocalNode node(options);
    node.hold<node::OpenRoom>();
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    node.advance(4s);
    CHECK(client.hear().empty());
    node.advance(2s);
    CHECK(heard(client, R"({"reason":"timeout"})"));
    CHECK(node.core(0).rooms().room_count() == 0);

    node.release<node::OpenRoom>();  // Too late, and for nobody.
    node.settle();
    CHECK(node.core(0).rooms().room_count() == 0);
    client.say(join("a"));
    node.settle();
    CHECK(heard(client, R"("status":"ok")"));
}

TEST_CASE("who was refused because the store failed may try again") {
    LocalNode::Options options;
    options.store = true;
    LocalNode node(options);
    bool broken = true;
    node.store().fails = [&](std::string_view call, auto) -> std::optional<Error> {
        if (!broken || call != "open_room") return std::nullopt;
        return Error{Reason::room_unavailable, "broken", {}};
    };
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    node.settle();
    CHECK(heard(client, R"("room_unavailable")"));
    CHECK(node.core(0).rooms().room_count() == 0);
    broken = false;
    client.say(join("a"));
    node.settle();
    CHECK(heard(client, R"("status":"ok")"));
}

TEST_CASE("leaving or typing opens no room") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    const engine::MemberKey nobody{engine::EdgeId{0}, 7};
    node.core(0).request({room_named("a"), engine::Leave{nobody}});
    node.core(0).request({room_named("a"), engine::Typing{nobody, user_named("ann")}});
    node.settle();
    CHECK(node.core(0).rooms().room_count() == 0);
}

TEST_CASE("sends are refused while the log is too far behind, and taken when it caught up") {
    LocalNode::Options options;
    options.store = true;
    options.rooms.log_backlog_max = 3;
    LocalNode node(options);
    node.hold<node::AppendLog>();
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    for (int i = 0; i < 3; ++i)
        client.say(say("a"));
    node.settle();
    CHECK_FALSE(heard(client, "queue_overflow"));
    client.say(say("a"));
    node.settle();
    CHECK(heard(client, "queue_overflow"));
    node.release<node::AppendLog>();
    node.settle();
    client.say(say("a"));
    node.settle();
    CHECK_FALSE(heard(client, "queue_overflow"));
}

TEST_CASE(
    "a room without a log forgets nothing that was said while it is in memory and never closes") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    client.say(say("a"));
    node.settle();
    client.hang_up();
    node.advance(20min);
    REQUIRE(node.room(room_named("a")) != nullptr);
    CHECK(node.room(room_named("a"))->head() == Seq{1});
}

TEST_CASE("draining waits for what is not archived yet and for nothing else") {
    LocalNode::Options options;
    options.store = true;
    LocalNode idle(options);
    CHECK(idle.core(0).drain(idle.now(), idle.wall()));

    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    client.say(say("a"));
    node.settle();
    CHECK(node.store().rows(room_named("a")).empty());
    CHECK_FALSE(node.core(0).drain(node.now(), node.wall()));
    node.settle();
    CHECK(node.core(0).drain(node.now(), node.wall()));
    CHECK(node.store().rows(room_named("a")).size() == 1);
}

TEST_CASE("what the archive has is forgotten by the log") {
    LocalNode::Options options;
    options.store = true;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    for (int i = 0; i < 5; ++i)
        client.say(say("a"));
    node.advance(200ms);
    CHECK(node.store().truncated(room_named("a")) == Seq{5});
}

TEST_CASE("a retry within ten minutes is recognized after a restart, however much was said since") {
    LocalNode node(talkative());
    say_many(node, 1, 3000);
    const auto said = node.store().logged(room_named("a"));
    REQUIRE(said.size() == 3000);
    node.restart();
    CHECK(names(reply_to(node, 1), *said.front()));
    node.advance(10min - 1s);
    CHECK(names(reply_to(node, 1), *said.front()));
    CHECK(node.store().logged(room_named("a")).size() == 3000);
    node.advance(1s);
    CHECK(reply_to(node, 1).find(R"("seq":3001,)") != std::string::npos);
}

TEST_CASE("a retry after ten minutes is a new message, also after a restart") {
    LocalNode node(talkative());
    say_many(node, 1, 1);
    node.advance(1s);
    say_many(node, 2, 2);
    node.advance(10min - 1s);
    node.restart();
    CHECK(reply_to(node, 2).find(R"("seq":2,)") != std::string::npos);
    CHECK(reply_to(node, 1).find(R"("seq":3,)") != std::string::npos);
}

TEST_CASE("a retry is recognized after its room was closed and opened again") {
    LocalNode node(talkative());
    say_many(node, 1, 3000);
    const auto said = node.store().logged(room_named("a"));
    node.advance(301s);
    REQUIRE(node.room(room_named("a")) == nullptr);
    CHECK(names(reply_to(node, 1), *said.front()));
    CHECK(node.store().logged(room_named("a")).size() == 3000);
}

TEST_CASE("a clock set back by a restart makes no retry look new, and none last for ever") {
    LocalNode node(talkative());
    say_many(node, 1, 1);
    node.advance(20min);
    say_many(node, 2, 2);
    node.set_clock(node.wall() - 1h);
    node.restart();
    CHECK(reply_to(node, 2).find(R"("seq":2,)") != std::string::npos);
    CHECK(reply_to(node, 1).find(R"("seq":3,)") != std::string::npos);
}

TEST_CASE("after a restart retries are recognized among as many places as are remembered") {
    auto options = talkative();
    options.rooms.room.dedupe.entries_max = 3;
    LocalNode node(options);
    say_many(node, 1, 3);
    node.advance(9min);
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    client.say(say("a", "without a client_id"));
    node.settle();
    client.hang_up();
    node.advance(30s);
    node.restart();
    CHECK(reply_to(node, 2).find(R"("seq":2,)") != std::string::npos);
    CHECK(reply_to(node, 1).find(R"("seq":5,)") != std::string::npos);
}

TEST_CASE("ids are new after a restart with the clock set back, in every room") {
    auto options = talkative();
    options.shards = 3;
    LocalNode node(options);
    say_many(node, 1, 300);
    const MessageId last = node.store().logged(room_named("a")).back()->id;
    node.set_clock(node.wall() - 24h);
    node.restart();
    LocalClient& client = node.connect("ann");
    std::set<MessageId> ids;
    for (const std::string_view room : {"b", "c", "d", "e", "f", "g", "h", "i"}) {
        client.say(join(room));
        client.say(say(room));
        client.say(say(room));
        node.settle();
        for (const MessagePtr& message : node.store().logged(room_named(room))) {
            CHECK(message->id > last);
            CHECK(ids.insert(message->id).second);
        }
    }
    CHECK(ids.size() == 16);
}

TEST_CASE("rooms are listed in pages, in order of name") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = node.connect("ann");
    for (const std::string_view room : {"c", "a", "d", "b"})
        client.say(join(room));
    node.settle();
    const node::RoomHost& rooms = node.core(0).rooms();
    const auto first = rooms.list(std::nullopt, 3);
    REQUIRE(first.size() == 3);
    CHECK(first[0]->id().text() == "a");
    CHECK(first[2]->id().text() == "c");
    const auto second = rooms.list(first[2]->id(), 3);
    REQUIRE(second.size() == 1);
    CHECK(second[0]->id().text() == "d");
}

TEST_CASE("each room goes on densely after any appends were lost, whatever is still on its way") {
    // Every way in which five entries are stored or lost, with one more send after each answer.
    for (unsigned outcomes = 0; outcomes < 32; ++outcomes) {
        LocalNode::Options options;
        options.store = true;
        options.rooms.commit = node::CommitRule::logged;
        options.rooms.room.rate_limit.messages_per_sec = 0;
        options.session.rates = no_limits();
        LocalNode node(options);
        LocalClient& client = node.connect("ann");
        client.say(join("a"));
        node.settle();
        node.hold<node::AppendLog>();
        for (int i = 0; i < 3; ++i)
            client.say(say("a"));
        node.settle();
        for (unsigned i = 0; i < 5 && node.waiting<node::AppendLog>() > 0; ++i) {
            const auto asked = node.take<node::AppendLog>();
            const bool stored = (outcomes >> i & 1U) == 0
                                && node.store().append(std::array{asked->what.message}).has_value();
            if (stored) {
                node.tell(0, node::Committed{{asked->what.message}});
            } else {
                node.tell(0, node::AppendFailed{room_named("a"), *node.store().begin_epoch({}), 1});
            }
            client.say(say("a"));
            node.settle();
        }
        node.release<node::AppendLog>();
        node.settle();
        client.say(say("a", "the last word"));
        node.settle();
        INFO(outcomes);
        const auto logged = node.store().logged(room_named("a"));
        REQUIRE_FALSE(logged.empty());
        CHECK(logged.back()->content == "the last word");
        CHECK(node.room(room_named("a"))->head() == logged.back()->seq);
        CHECK(node.room(room_named("a"))->queue_size() == 0);
    }
}

}  // namespace chatx::test
