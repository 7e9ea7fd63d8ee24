#include "node/gateway/session.h"
#include "tests/support/local_node.h"
#include "tests/support/messages.h"
#include "tests/support/rates.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

/// What a client misses that reads too slowly, where such a client is not cut off.
namespace chatx::test {

namespace {

using Frames = std::vector<std::string>;

LocalNode::Options with_gaps() {
    LocalNode::Options options;
    options.rooms.room.rate_limit.messages_per_sec = 0;
    options.session.rates = no_limits();
    options.session.gaps = true;
    options.outbox.offered_max = 1000;
    options.outbox.bytes_max = 2000;
    return options;
}

void join(LocalNode& node, LocalClient& client, std::string_view room) {
    client.say(R"(["1","1","room:)" + std::string(room) + R"(","phx_join",{}])");
    node.settle();
    (void)client.hear();
}

/// Says messages with contents of 100 bytes.
void say(LocalNode& node, LocalClient& client, std::string_view room, int count) {
    for (int i = 0; i < count; ++i) {
        client.say(
            R"(["1","2","room:)" + std::string(room) + R"(","new_message",{"content":")"
            + std::string(100, 'x') + R"("}])");
        node.settle();
        (void)client.hear();
    }
}

bool contains(const Frames& frames, std::string_view part) {
    for (const std::string& frame : frames) {
        if (frame.find(part) != frame.npos) return true;
    }
    return false;
}

/// How many messages are among the frames.
int messages_in(const Frames& frames) {
    int count = 0;
    for (const std::string& frame : frames) {
        if (frame.find(R"("new_message")") != frame.npos) ++count;
    }
    return count;
}

}  // namespace

TEST_CASE("a slow client misses messages, is told which, and hears all that follows") {
    LocalNode node(with_gaps());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    join(node, ben, "a");
    join(node, ann, "a");
    (void)ben.hear();
    say(node, ann, "a", 20);
    const Frames first = ben.hear();
    const int heard = messages_in(first);
    CHECK(heard > 0);
    CHECK(heard < 20);
    CHECK_FALSE(ben.overflowed());
    CHECK_FALSE(contains(first, R"("gap")"));
    CHECK(node.left_out() == static_cast<std::uint64_t>(20 - heard));
    CHECK(
        ben.hear()
        == Frames{
            R"(["1",null,"room:a","gap",{"from":)" + std::to_string(heard + 1)
            + R"(,"to":20,"reason":"slow_consumer"}])"});
    CHECK(node.gaps() == 1);
    CHECK(ben.session().gaps() == 1);
    say(node, ann, "a", 1);
    const Frames next = ben.hear();
    REQUIRE(next.size() == 1);
    CHECK(next[0].find(R"("seq":21)") != next[0].npos);
}

TEST_CASE("between what was left out and the news of it a room is silent, and others are not") {
    LocalNode node(with_gaps());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    for (const std::string_view room : {"a", "b"}) {
        join(node, ben, room);
        join(node, ann, room);
    }
    (void)ben.hear();
    say(node, ann, "b", 1);
    say(node, ann, "a", 20);
    const std::size_t waiting = ben.waiting_bytes();
    ann.say(R"(["1","3","room:a","new_message",{"content":"s"}])");
    node.settle();
    CHECK(ben.waiting_bytes() == waiting);
    (void)ben.hear();
    const Frames told = ben.hear();
    REQUIRE(told.size() == 1);
    CHECK(told[0].find(R"("room:a","gap")") != told[0].npos);
    CHECK(told[0].find(R"("to":21,)") != told[0].npos);
}

TEST_CASE("a client that missed presence is sent to join again, and gets it afresh") {
    LocalNode node(with_gaps());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    join(node, ben, "a");
    join(node, ann, "a");
    (void)ben.hear();
    say(node, ann, "a", 20);
    LocalClient& eve = node.connect("eve");
    join(node, eve, "a");
    (void)ben.hear();
    CHECK(ben.hear() == Frames{R"(["1","1","room:a","phx_error",{"reason":"slow_consumer"}])"});
    node.settle();
    CHECK(node.room(room_named("a"))->subscriber_count() == 2);
    ben.say(R"(["4","4","room:a","phx_join",{}])");
    node.settle();
    CHECK(contains(ben.hear(), R"(presence_state",{"ann")"));
    CHECK(node.room(room_named("a"))->subscriber_count() == 3);
}

TEST_CASE("answers are never left out; a client that reads none of them is cut off") {
    LocalNode node(with_gaps());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    join(node, ben, "a");
    join(node, ann, "a");
    (void)ben.hear();
    say(node, ann, "a", 20);
    for (int ref = 100; ref < 105; ++ref)
        ben.say(R"([null,")" + std::to_string(ref) + R"(","phoenix","heartbeat",{}])");
    CHECK_FALSE(ben.overflowed());
    for (int ref = 200; ref < 220; ++ref)
        ben.say(R"([null,")" + std::to_string(ref) + R"(","phoenix","heartbeat",{}])");
    CHECK(ben.overflowed());
}

TEST_CASE("who left, joined again or lost the room meanwhile is told of no gap") {
    LocalNode node(with_gaps());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    for (const std::string_view how :
         {R"(["1","5","room:a","phx_leave",{}])", R"(["5","5","room:a","phx_join",{}])", ""}) {
        join(node, ben, "a");
        join(node, ann, "a");
        (void)ben.hear();
        say(node, ann, "a", 20);
        if (how.empty()) {
            node.tell(0, node::ResetRoom{room_named("a")});
        } else {
            ben.say(how);
        }
        node.settle();
        (void)ben.hear();
        CHECK_FALSE(contains(ben.hear(), R"("gap")"));
    }
}

TEST_CASE("that somebody typed is missing without a word") {
    LocalNode node(with_gaps());
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    join(node, ben, "a");
    join(node, ann, "a");
    (void)ben.hear();
    for (int i = 0; i < 50; ++i)
        ann.say(R"(["1","3","room:a","typing",{}])");
    node.settle();
    (void)ben.hear();
    CHECK(ben.hear().empty());
    CHECK(node.left_out() > 0);
    CHECK(node.gaps() == 0);
}

}  // namespace chatx::test
