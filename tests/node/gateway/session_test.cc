#include "node/gateway/session.h"

#include "tests/support/local_node.h"
#include "tests/support/rates.h"

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
using proto::phoenix::Version;
using proto::websocket::Opcode;

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

/// A binary push for room a.
std::string binary_push(
    std::string_view join_ref,
    std::string_view ref,
    std::string_view event,
    std::string_view payload) {
    std::string out(1, '\0');
    for (const std::string_view name : {join_ref, ref, std::string_view("room:a"), event})
        out += static_cast<char>(name.size());
    for (const std::string_view part : {join_ref, ref, std::string_view("room:a"), event, payload})
        out += part;
    return out;
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

TEST_CASE("frames are limited by rate, heartbeats apart, and who does not stop is cut off") {
    LocalNode::Options options;
    options.session.rates.frames = engine::TokenRate({.tokens_per_sec = 10, .burst = 5});
    options.session.rates.strikes_max = 20;
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

    // A frame that is let through forgives a strike.
    node.advance(100ms);
    client.say(message(5));
    for (int i = 0; i < 20; ++i)
        client.say(message(6));
    CHECK_FALSE(client.session().closed());
    client.say(message(7));
    CHECK(client.session().closed() == proto::websocket::CloseCode::policy_violation);
    CHECK(client.hear().back() == "close 1008 too many frames");
}

TEST_CASE("clients of one address share a bucket, and what is beyond it is refused to each") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    const engine::TokenRate rate({.tokens_per_sec = 10, .burst = 4});
    node::SharedTokenBucket address(rate);
    LocalClient& ann = node.connect("ann", 0, &address);
    LocalClient& bob = node.connect("bob", 0, &address);
    LocalClient& cat = node.connect("cat");
    for (LocalClient* client : {&ann, &bob, &cat})
        client->say(join_a);
    ann.say(message(2));
    bob.say(message(2));
    node.settle();
    (void)ann.hear();
    (void)bob.hear();
    for (LocalClient* client : {&ann, &bob}) {
        client->say(message(3));
        CHECK(contains(client->hear(), R"({"reason":"rate_limited","retry_after_ms":100})"));
    }
    CHECK(node.refused(node::FrameLimit::frames_per_sec_per_ip) == 2);
    CHECK(node.counted(engine::Metric::rejected) == 2);
    cat.say(message(3));
    node.settle();
    CHECK(contains(cat.hear(), R"("content":"hi")"));
    node.advance(100ms);
    ann.say(message(4));
    node.settle();
    CHECK(contains(ann.hear(), R"(["1","4")"));
}

TEST_CASE(
    "heartbeats have a rate of their own, beyond which they are refused and at last cut off") {
    LocalNode::Options options;
    options.session.rates.strikes_max = 20;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    for (int i = 0; i < 50; ++i)
        client.say(heartbeat(i));
    CHECK_FALSE(contains(client.hear(), "rate_limited"));
    client.say(heartbeat(50));
    CHECK(contains(client.hear(), R"("phoenix","phx_reply",{"response":{"reason":"rate_limited")"));
    CHECK(node.refused(node::FrameLimit::heartbeats_per_sec) == 1);
    for (int i = 51; i < 70; ++i)
        client.say(heartbeat(i));
    CHECK_FALSE(client.session().closed());
    client.say(heartbeat(70));
    CHECK(client.hear().back() == "close 1008 too many frames");
}

TEST_CASE("pings, pongs and heartbeats take from one bucket, and a ping beyond it has no answer") {
    LocalNode::Options options;
    options.session.rates.heartbeats = engine::TokenRate({.tokens_per_sec = 10, .burst = 3});
    options.session.rates.strikes_max = 2;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    CHECK(client.session().on_control_frame());
    CHECK(client.session().on_control_frame());
    client.say(heartbeat(1));
    CHECK(client.hear().size() == 1);
    CHECK_FALSE(client.session().on_control_frame());
    CHECK_FALSE(client.session().on_control_frame());
    CHECK_FALSE(client.session().closed());
    CHECK_FALSE(client.session().on_control_frame());
    CHECK(client.hear() == Frames{"close 1008 too many frames"});
    CHECK(node.refused(node::FrameLimit::heartbeats_per_sec) == 3);
}

TEST_CASE("typing beyond its rate is dropped, and the client hears ok all the same") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& ann = node.connect("ann");
    LocalClient& bob = node.connect("bob");
    ann.say(join_a);
    bob.say(join_a);
    node.settle();
    (void)ann.hear();
    (void)bob.hear();
    const auto type = [&](int times) {
        for (int i = 0; i < times; ++i)
            ann.say(R"(["1","2","room:a","typing",{}])");
        node.settle();
        CHECK(ann.hear().size() == static_cast<std::size_t>(times));
        return bob.hear().size();
    };
    CHECK(type(20) == 5);
    CHECK(node.refused(node::FrameLimit::typing_per_sec) == 15);
    node.advance(500ms);
    CHECK(type(20) == 1);
    CHECK(node.counted(engine::Metric::rejected) == 0);
}

TEST_CASE("joins are limited by rate, also those of rooms the client is in, which it stays in") {
    LocalNode::Options options;
    options.session.rates.joins = engine::TokenRate({.tokens_per_sec = 10, .burst = 2});
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    client.say(join_a);
    client.say(R"(["2","2","room:b","phx_join",{}])");
    node.settle();
    (void)client.hear();
    client.say(R"(["3","3","room:c","phx_join",{}])");
    client.say(R"(["4","4","room:a","phx_join",{}])");
    node.settle();
    const Frames refused = client.hear();
    CHECK(refused.size() == 2);
    for (const std::string_view ref : {R"(["3","3","room:c","phx_reply")", R"(["4","4","room:a")"})
        CHECK(contains(refused, ref));
    CHECK(contains(refused, R"({"reason":"rate_limited","retry_after_ms":100})"));
    CHECK(node.refused(node::FrameLimit::joins_per_sec) == 2);
    CHECK(client.session().membership_count() == 2);
    CHECK(node.room(RoomId::parse("c").value()) == nullptr);
    client.say(message(5));
    node.settle();
    CHECK(contains(client.hear(), R"(["1","5")"));
    node.advance(100ms);
    client.say(R"(["6","6","room:c","phx_join",{}])");
    node.settle();
    CHECK(client.session().membership_count() == 3);
}

TEST_CASE("while the node drains it takes no joins and no messages, and answers the rest") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = node.connect("ann");
    client.say(join_a);
    client.say(message(2));
    node.settle();
    (void)client.hear();
    node.drain();
    client.say(message(3));
    CHECK(
        client.hear()
        == Frames{
            R"(["1","3","room:a","phx_reply",{"response":{"reason":"shutting_down","retry_after_ms":1000},"status":"error"}])"});
    for (const std::string_view topic : {"room:a", "room:b"}) {
        client.say(R"(["4","4",")" + std::string(topic) + R"(","phx_join",{}])");
        CHECK(contains(client.hear(), R"("shutting_down")"));
    }
    client.say(heartbeat(5));
    CHECK(contains(client.hear(), R"("ok")"));
    client.say(R"(["1","6","room:a","history",{}])");
    node.settle();
    CHECK(contains(client.hear(), R"("content":"hi")"));
    client.say(R"(["1","7","room:a","phx_leave",{}])");
    node.settle();
    CHECK(client.session().membership_count() == 0);
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

TEST_CASE("a client of version 1 speaks and hears objects") {
    LocalNode node({});
    LocalClient& ann = node.connect("ann", Version::v1);
    const auto say = [&](std::string_view event, std::string_view payload, int ref) {
        ann.say(
            R"({"topic":"room:a","event":")" + std::string(event) + R"(","payload":)"
            + std::string(payload) + R"(,"ref":")" + std::to_string(ref) + R"("})");
        node.settle();
        return ann.hear();
    };
    const Frames joined = say("phx_join", "{}", 1);
    REQUIRE(joined.size() == 2);
    CHECK(joined[0].starts_with(R"({"event":"phx_reply","payload":{"response":{)"));
    CHECK(joined[0].ends_with(R"("status":"ok"},"ref":"1","topic":"room:a"})"));
    CHECK(joined[1].starts_with(R"({"event":"presence_state","payload":{"ann":)"));
    const Frames said = say("new_message", R"({"content":"hi"})", 2);
    REQUIRE(said.size() == 2);
    CHECK(contains(said, R"("ref":null,"topic":"room:a"})"));
    CHECK(contains(said, R"("ref":"2","topic":"room:a"})"));
    CHECK(
        say("phx_leave", "{}", 3)
        == Frames{
            R"({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"3","topic":"room:a"})",
            R"({"event":"phx_close","payload":{},"ref":null,"topic":"room:a"})"});
}

TEST_CASE("to version 1 the close of a replaced membership comes before the reply") {
    LocalNode node({});
    LocalClient& ann = node.connect("ann", Version::v1);
    for (int i = 1; i <= 2; ++i) {
        ann.say(R"({"topic":"room:a","event":"phx_join","payload":{},"ref":"1","join_ref":"1"})");
        node.settle();
    }
    const Frames heard = ann.hear();
    REQUIRE(heard.size() == 5);
    CHECK(heard[2] == R"({"event":"phx_close","payload":{},"ref":"1","topic":"room:a"})");
    CHECK(heard[3].starts_with(R"({"event":"phx_reply")"));
}

TEST_CASE("without refs a replaced membership of version 1 has no close") {
    LocalNode node({});
    LocalClient& ann = node.connect("ann", Version::v1);
    for (int i = 1; i <= 2; ++i) {
        ann.say(R"({"topic":"room:a","event":"phx_join","payload":{},"ref":"1"})");
        node.settle();
    }
    CHECK_FALSE(contains(ann.hear(), "phx_close"));
}

TEST_CASE("a message without one of its four keys ends a connection of version 1") {
    LocalNode node({});
    LocalClient& ann = node.connect("ann", Version::v1);
    ann.say(R"({"topic":"room:a","event":"phx_join","payload":{}})");
    CHECK(contains(ann.hear(), "close 1002"));
    LocalClient& ben = node.connect("ben", Version::v1);
    ben.say_bytes(masked(Opcode::binary, binary_push("1", "2", "cursor", "x")));
    CHECK(contains(ben.hear(), "close 1002"));
}

TEST_CASE("a signal reaches the others of version 2 as bytes, and its sender an answer in bytes") {
    LocalNode node({});
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    LocalClient& old = node.connect("old", Version::v1);
    for (LocalClient* client : {&ann, &ben})
        client->say(join_a);
    old.say(R"({"topic":"room:a","event":"phx_join","payload":{},"ref":"1"})");
    node.settle();
    for (LocalClient* client : {&ann, &ben, &old})
        (void)client->hear();

    ann.say_bytes(masked(Opcode::binary, binary_push("1", "2", "cursor", "\x01\x02")));
    node.settle();
    CHECK(ben.hear() == Frames{"binary \2\6\6room:acursor\1\2"});
    CHECK(old.hear().empty());
    CHECK(
        ann.hear()
        == Frames{"binary \1\1\1\6\2"
                  "12room:aok"});
}

TEST_CASE("what a signal may not be is answered in text") {
    LocalNode::Options options;
    options.session.message_size_limit = 8;
    options.session.rates.signals = engine::TokenRate({.tokens_per_sec = 1, .burst = 1});
    LocalNode node(options);
    LocalClient& ann = node.connect("ann");
    ann.say(join_a);
    node.settle();
    (void)ann.hear();
    const auto answer = [&](std::string_view event, std::string_view payload) {
        ann.say_bytes(masked(Opcode::binary, binary_push("1", "2", event, payload)));
        node.settle();
        const Frames heard = ann.hear();
        return heard.empty() ? std::string() : heard[0];
    };
    for (const auto* event : {"new_message", "typing", "gap", "phx_reply", "presence_diff"})
        CHECK(answer(event, "x").find("invalid_content") != std::string::npos);
    CHECK(answer("cursor", "123456789").find("message_too_large") != std::string::npos);
    CHECK(answer("cursor", "12345678").starts_with("binary "));
    CHECK(answer("cursor", "1").find("rate_limited") != std::string::npos);
    ann.say_bytes(masked(Opcode::binary, binary_push("9", "2", "cursor", "x")));
    CHECK(ann.hear().empty());
    ann.say_bytes(masked(Opcode::binary, "\5"));
    CHECK(contains(ann.hear(), "close 1002"));
}

TEST_CASE("who may signal is asked of the auth adapter each time") {
    LocalNode::Options options;
    options.checks.auth = true;
    LocalNode node(options);
    LocalClient& ann = node.connect("ann");
    ann.say(join_a);
    node.settle();
    (void)ann.hear();
    node.hold<node::Authorize>();
    const auto ask = [&] {
        ann.say_bytes(masked(Opcode::binary, binary_push("1", "2", "cursor", "x")));
        node.settle();
        CHECK(ann.hear().empty());
        const auto asked = node.take<node::Authorize>();
        REQUIRE(asked);
        CHECK(asked->what.action == AuthAction::send);
        return asked->what;
    };
    const auto first = ask();
    node.tell(0, node::Authorized{first.connection, first.request, Reason::unauthorized});
    node.settle();
    CHECK(contains(ann.hear(), R"({"reason":"unauthorized"})"));
    const auto second = ask();
    node.tell(0, node::Authorized{second.connection, second.request, Done{}});
    node.settle();
    CHECK(contains(ann.hear(), "binary "));
}

TEST_CASE("what comes behind an undecided signal waits for it, in order") {
    LocalNode::Options options;
    options.checks.auth = true;
    LocalNode node(options);
    LocalClient& ann = node.connect("ann");
    LocalClient& ben = node.connect("ben");
    for (LocalClient* client : {&ann, &ben})
        client->say(join_a);
    node.settle();
    (void)ben.hear();
    node.hold<node::Authorize>();
    ann.say_bytes(masked(Opcode::binary, binary_push("1", "2", "first", "1")));
    ann.say_bytes(masked(Opcode::binary, binary_push("1", "3", "second", "2")));
    ann.say(R"(["1","4","room:a","typing",{}])");
    node.settle();
    CHECK(node.waiting<node::Authorize>() == 1);
    CHECK(ben.hear().empty());
    node.release<node::Authorize>();
    node.settle();
    const Frames heard = ben.hear();
    REQUIRE(heard.size() == 3);
    CHECK(heard[0].find("first") != std::string::npos);
    CHECK(heard[1].find("second") != std::string::npos);
    CHECK(heard[2].find("typing") != std::string::npos);
}

TEST_CASE("who comes back to many rooms that were busy is not cut for the size of the answers") {
    LocalNode::Options options;
    options.rooms.room.rate_limit.messages_per_sec = 0;
    options.session.rates = no_limits();
    LocalNode node(options);
    LocalClient& writer = node.connect("writer");
    const auto topic = [](int room) { return "\"room:" + std::to_string(room) + "\""; };
    for (int room = 0; room < 30; ++room) {
        writer.say(R"(["1","1",)" + topic(room) + R"(,"phx_join",{}])");
        node.settle();
        for (int i = 0; i < 40; ++i)
            writer.say(
                R"(["1","2",)" + topic(room) + R"(,"new_message",{"content":")"
                + std::string(2000, 'x') + R"("}])");
        node.settle();
        (void)writer.hear();
    }
    LocalClient& reader = node.connect("reader");
    for (int room = 0; room < 30; ++room)
        reader.say(R"(["1","1",)" + topic(room) + R"(,"phx_join",{"history":200}])");
    node.settle();
    CHECK_FALSE(reader.overflowed());
    std::size_t answers = 0;
    for (const std::string& frame : reader.hear())
        answers += frame.find("phx_reply") != std::string::npos ? 1 : 0;
    CHECK(answers == 30);
}

}  // namespace chatx::test
