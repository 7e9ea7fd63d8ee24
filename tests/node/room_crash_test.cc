#include "node/room_host.h"
#include "tests/support/local_node.h"
#include "tests/support/messages.h"
#include "tests/support/room_talk.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Rooms that throw, or are reset by an operator.
namespace chatx::test {

using namespace std::chrono_literals;

TEST_CASE("a room that throws is counted and told of once, and no other room notices") {
    LocalNode::Options options;
    options.shards = 2;
    LocalNode node(options);
    LocalClient& ann = node.connect("ann", 0);
    LocalClient& ben = node.connect("ben", 1);
    for (LocalClient* client : {&ann, &ben}) {
        client->say(join("a"));
        client->say(join("b"));
    }
    node.settle();
    (void)ann.hear();
    (void)ben.hear();
    node.break_entropy(node::shard_of(room_named("a"), 2));
    LocalClient& eve = node.connect("eve", 0);
    eve.say(join("a"));
    node.settle();
    CHECK(node.crashes() == std::vector<std::string>{"a: no entropy"});
    CHECK(node.counted(engine::Metric::room_crashed) == 1);
    CHECK(heard(eve, "room_unavailable"));
    for (LocalClient* client : {&ann, &ben}) {
        const auto frames = client->hear();
        REQUIRE(frames.size() == 1);
        CHECK(frames.front() == R"(["1","1","room:a","phx_error",{"reason":"channel_crash"}])");
    }
    ben.say(say("b"));
    node.settle();
    CHECK(heard(ann, R"("content":"hi")"));
    CHECK(node.room(room_named("b"))->subscriber_count() == 2);
    CHECK(node.room(room_named("a")) == nullptr);
}

TEST_CASE("a room may throw while it is opened: whoever waited is refused, and the next may try") {
    LocalNode node(talkative());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    node.break_entropy(0);
    ann.say(join("a"));
    ben.say(join("a"));
    node.settle();
    CHECK(heard(ann, "room_unavailable"));
    CHECK(heard(ben, "room_unavailable"));
    ann.say(join("a"));
    node.settle();
    CHECK(heard(ann, R"("status":"ok")"));
}

TEST_CASE("whatever waits for a room that ends is answered, each request once") {
    LocalNode::Options options = talkative();
    options.rooms.commit = node::CommitRule::logged;
    options.rooms.room.history.messages_max = 1;
    LocalNode node(options);
    say_many(node, 1, 3);
    node.advance(1s);
    LocalClient& ann = node.connect("ann");
    ann.say(join("a"));
    node.settle();
    (void)ann.hear();
    node.hold<node::AppendLog>();
    node.hold<node::ReadArchive>();
    ann.say(say_once("a", 4));
    ann.say(R"(["1","h","room:a","history",{"before":3}])");
    LocalClient& ben = node.connect("ben");
    ben.say(R"(["1","1","room:a","phx_join",{"history":3}])");
    node.tell(0, node::ResetRoom{room_named("a")});
    node.settle();
    const auto frames = ann.hear();
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].find("room_unavailable") != frames[0].npos);
    CHECK(frames[1].find("room_unavailable") != frames[1].npos);
    CHECK(frames[2].find("phx_error") != frames[2].npos);
    CHECK(heard(ben, "room_unavailable"));
    node.release<node::ReadArchive>();
    node.release<node::AppendLog>();
    node.settle();
    CHECK(ann.hear().empty());
    CHECK(ben.hear().empty());
}

TEST_CASE("what the log takes of a room that ended is archived by the next one, and not doubled") {
    LocalNode::Options options = talkative();
    options.rooms.commit = node::CommitRule::logged;
    LocalNode node(options);
    LocalClient& ann = node.connect("ann");
    ann.say(join("a"));
    ann.say(say_once("a", 1));
    node.settle();
    node.hold<node::AppendLog>();
    ann.say(say_once("a", 2));
    node.settle();
    node.tell(0, node::ResetRoom{room_named("a")});
    node.settle();
    node.release<node::AppendLog>();
    node.settle();
    ann.say(join("a"));
    ann.say(say_once("a", 3));
    node.advance(1s);
    const auto rows = node.store().rows(room_named("a"));
    REQUIRE(rows.size() == 3);
    CHECK(rows.back()->seq == Seq{3});
    CHECK(node.store().logged(room_named("a")).size() == 3);
}

TEST_CASE("entries that the log loses after their room ended do not keep it closed") {
    LocalNode::Options options = talkative();
    options.rooms.commit = node::CommitRule::logged;
    LocalNode node(options);
    LocalClient& ann = node.connect("ann");
    ann.say(join("a"));
    node.settle();
    node.hold<node::AppendLog>();
    ann.say(say_once("a", 1));
    node.settle();
    node.tell(0, node::ResetRoom{room_named("a")});
    node.settle();
    (void)ann.hear();
    ann.say(join("a"));
    node.settle();
    CHECK(ann.hear().empty());
    node.fail_appends(1);
    node.settle();
    CHECK(heard(ann, R"("epoch":"0-2-0","seq":0)"));
}

TEST_CASE("an answer to an attempt to open that was given up opens nothing") {
    LocalNode node(talkative());
    node.hold<node::OpenRoom>();
    LocalClient& ann = node.connect("ann");
    ann.say(join("a"));
    node.advance(6s);
    CHECK(heard(ann, "timeout"));
    const auto late = node.take<node::OpenRoom>();
    REQUIRE(late);
    ann.say(join("a"));
    node.settle();
    node.tell(0, node::RoomOpened{room_named("a"), engine::RoomState{}, {}, late->what.attempt});
    node.settle();
    CHECK(node.room(room_named("a")) == nullptr);
    node.release<node::OpenRoom>();
    node.settle();
    CHECK(heard(ann, R"("status":"ok")"));
}

}  // namespace chatx::test
