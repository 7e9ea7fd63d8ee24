#include "node/gateway/session.h"

#include "tests/support/local_node.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::test {

namespace {

using namespace std::chrono_literals;
using Frames = std::vector<std::string>;

constexpr std::string_view join_a = R"(["1","1","room:a","phx_join",{}])";

std::string heartbeat(int ref) {
    return R"([null,")" + std::to_string(ref) + R"(","phoenix","heartbeat",{}])";
}

std::string message(int ref, std::string_view content = "hi") {
    return R"(["1",")" + std::to_string(ref) + R"(","room:a","new_message",{"content":")"
           + std::string(content) + R"("}])";
}

std::string masked(proto::websocket::Opcode opcode, std::string_view payload) {
    std::string bytes;
    proto::websocket::append_frame(
        bytes, opcode, payload, {.final = true, .mask = proto::websocket::MaskKey{9, 8, 7, 6}});
    return bytes;
}

/// What a client hears that says the given bytes in the given pieces.
Frames heard_in_pieces(const std::string& bytes, const std::vector<std::size_t>& cuts) {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = node.connect("ann");
    std::size_t at = 0;
    for (const std::size_t cut : cuts) {
        const std::size_t end = std::min(bytes.size(), at + cut);
        client.say_bytes(bytes.substr(at, end - at));
        at = end;
    }
    client.say_bytes(bytes.substr(at));
    node.settle();
    return client.hear();
}

bool contains(const Frames& frames, std::string_view part) {
    for (const std::string& frame : frames) {
        if (frame.find(part) != frame.npos) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("a session answers the same however its bytes are cut") {
    std::string bytes;
    for (const std::string& frame :
         {std::string(join_a),
          heartbeat(2),
          message(3),
          message(4, std::string(300, 'x')),
          std::string(R"(["1","5","room:a","phx_leave",{}])"),
          message(6),
          std::string("nonsense")}) {
        bytes += masked(proto::websocket::Opcode::text, frame);
    }
    const Frames whole = heard_in_pieces(bytes, {});
    CHECK(whole.back() == "close 1002 not JSON");
    CHECK(rc::check([&] {
        const auto cuts =
            *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(1, 60));
        RC_ASSERT(heard_in_pieces(bytes, cuts) == whole);
    }));
}

TEST_CASE("a connection has at most so many memberships, and at the bound it lives on") {
    LocalNode::Options options;
    options.session.joins_max = 100;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    for (int i = 1; i <= 101; ++i) {
        client.say(R"(["1","1","room:)" + std::to_string(i) + R"(","phx_join",{}])");
        node.settle();
        const bool refused = contains(client.hear(), "too many channels joined");
        CHECK(refused == (i == 101));
    }
    CHECK(client.session().membership_count() == 100);
    client.say(heartbeat(1));
    CHECK(client.hear().size() == 1);
}

TEST_CASE("frames behind an undecided join are held up to a bound, then refused") {
    LocalNode::Options options;
    options.checks.auth = true;
    options.session.held_max = 3;
    LocalNode node(options);
    node.hold<node::Authorize>();
    LocalClient& client = node.connect("ann");
    client.say(join_a);
    for (int i = 2; i <= 4; ++i)
        client.say(message(i));
    node.settle();
    CHECK(client.hear().empty());
    client.say(message(5));
    CHECK(contains(client.hear(), R"("queue_overflow")"));
    node.release<node::Authorize>();
    node.settle();
    const Frames frames = client.hear();
    for (const std::string_view ref : {R"("2")", R"("3")", R"("4")"})
        CHECK(contains(frames, ref));
}

TEST_CASE("a connection has at most so many requests without an answer") {
    LocalNode::Options options;
    options.store = true;
    options.rooms.commit = node::CommitRule::logged;
    options.session.requests_max = 3;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    client.say(join_a);
    node.settle();
    node.hold<node::AppendLog>();
    (void)client.hear();
    for (int i = 2; i <= 4; ++i)
        client.say(message(i));
    node.settle();
    CHECK(client.hear().empty());
    client.say(message(5));
    CHECK(contains(client.hear(), R"("queue_overflow")"));
    node.release<node::AppendLog>();
    node.settle();
    CHECK(client.hear().size() == 6);
    client.say(message(6));
    node.settle();
    CHECK(client.hear().size() == 2);
}

TEST_CASE("frames are limited by rate, heartbeats are not, and who does not stop is cut off") {
    LocalNode::Options options;
    options.session.frames = {.messages_per_sec = 10, .burst = 5, .buckets_max = 1};
    options.session.strikes_max = 20;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    client.say(join_a);
    for (int i = 0; i < 4; ++i)
        client.say(message(2));
    node.settle();
    (void)client.hear();
    client.say(message(3));
    CHECK(contains(client.hear(), R"({"reason":"rate_limited","retry_after_ms":100})"));
    client.say(heartbeat(4));
    CHECK(contains(client.hear(), R"("ok")"));

    // A pause and a frame that is let through: the count begins anew.
    node.advance(100ms);
    client.say(message(5));
    for (int i = 0; i < 20; ++i)
        client.say(message(6));
    CHECK_FALSE(client.session().closed());
    client.say(message(7));
    CHECK(client.session().closed() == proto::websocket::CloseCode::policy_violation);
    CHECK(client.hear().back() == "close 1008 too many frames");
}

TEST_CASE("a client that does not read is held to the outbox's bound, whatever it says") {
    LocalNode::Options options;
    options.outbox.bytes_max = 10'000;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    for (int i = 0; i < 1000; ++i)
        client.say(heartbeat(i));
    CHECK(client.overflowed());
    CHECK(
        client.waiting_bytes() <= 10'000 + 100);  // The frame that met the bound may lie beyond it.
}

TEST_CASE("nothing is said behind a close") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& ann = node.connect("ann");
    LocalClient& bob = node.connect("bob");
    ann.say(join_a);
    bob.say(join_a);
    node.settle();
    (void)ann.hear();
    ann.say("nonsense");
    bob.say(message(2));
    ann.say(heartbeat(3));
    node.settle();
    CHECK(ann.hear() == Frames{"close 1002 not JSON"});
}

TEST_CASE("a binary message ends the connection with 1002") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = node.connect("ann");
    client.say_bytes(masked(proto::websocket::Opcode::binary, "\0\1\2"));
    CHECK(client.hear().size() == 1);
    CHECK(client.session().closed() == proto::websocket::CloseCode::protocol_error);
}

TEST_CASE("a close is answered with its own code, and one without a code with none") {
    for (const auto& [sent, heard] :
         {std::pair<std::string, std::string>{"\x03\xe8", "close 1000"},
          {std::string("\x0f\xa1"), "close 4001"},
          {"", "close 1005"}}) {
        LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
        LocalClient& client = node.connect("ann");
        client.say_bytes(masked(proto::websocket::Opcode::close, sent));
        CHECK(client.hear() == Frames{heard});
    }
}

TEST_CASE("a user in two tabs hears every message once in each") {
    LocalNode node({.shards = 2, .rooms = {}, .session = {}, .outbox = {}});
    LocalClient& first = node.connect("ann", 0);
    LocalClient& second = node.connect("ann", 1);
    first.say(join_a);
    second.say(join_a);
    node.settle();
    (void)first.hear();
    (void)second.hear();
    first.say(message(2));
    node.settle();
    CHECK(first.hear().size() == 2);  // The broadcast and the reply.
    CHECK(second.hear().size() == 1);
}

TEST_CASE("who breaks off is in no room any more, also while joining") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = node.connect("ann");
    client.say(join_a);
    node.settle();
    client.say(R"(["2","2","room:b","phx_join",{}])");
    client.hang_up();
    node.settle();
    for (const std::string_view name : {"a", "b"}) {
        const engine::Room* room = node.room(RoomId::parse(name).value());
        CHECK((room == nullptr || room->subscriber_count() == 0));
    }
    CHECK(node.core(0).edge().connection_count() == 0);
}

}  // namespace chatx::test
