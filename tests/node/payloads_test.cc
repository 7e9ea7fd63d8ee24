#include "node/payloads.h"

#include "proto/json.h"
#include "proto/websocket.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

using proto::phoenix::Version;

using test::message_at;
using test::room_named;
using test::shared;

/// As many messages as given, each of some 10 kB.
std::vector<MessagePtr> large_messages(std::uint64_t count) {
    std::vector<MessagePtr> messages;
    for (std::uint64_t seq = 1; seq <= count; ++seq) {
        Message message = message_at(room_named("a"), seq);
        message.content = std::string(10'000, 'x');
        messages.push_back(shared(std::move(message)));
    }
    return messages;
}

struct Page {
    std::vector<std::uint64_t> seqs;
    bool more = false;
};

Page page_in(const std::string& text) {
    proto::json::Parser parser;
    const auto parsed = parser.parse(text);
    REQUIRE(std::holds_alternative<proto::json::Value>(parsed));
    const auto& value = std::get<proto::json::Value>(parsed);
    Page page;
    for (const auto& message : *value.find("messages")->as_array()) {
        page.seqs.push_back(*message.find("seq")->as_uint64());
    }
    page.more = *value.find("more")->as_bool();
    return page;
}

engine::JoinReply join_reply(std::vector<MessagePtr> messages, bool recovered) {
    engine::JoinReply reply;
    reply.seq = messages.back()->seq;
    reply.messages = std::move(messages);
    reply.recovered = recovered;
    return reply;
}

}  // namespace

TEST_CASE("a page that fits is whole") {
    const Page page = page_in(to_json(HistoryPage{large_messages(20), false, true, {}}, true));
    CHECK(page.seqs.size() == 20);
    CHECK_FALSE(page.more);
    CHECK(page_in(to_json(HistoryPage{{}, true, true, {}}, true)).more);
}

TEST_CASE(
    "a page that is too large loses its end when read oldest first, else its beginning, and says "
    "so") {
    const HistoryPage page{large_messages(100), false, true, {}};
    const std::string forward = to_json(page, true);
    CHECK(forward.size() <= page_bytes_max + 100);
    const Page oldest = page_in(forward);
    CHECK(oldest.seqs.front() == 1);
    CHECK(oldest.seqs.back() == oldest.seqs.size());
    CHECK(oldest.seqs.size() > 20);
    CHECK(oldest.more);

    const Page newest = page_in(to_json(page, false));
    CHECK(newest.seqs.back() == 100);
    CHECK(newest.seqs.front() == 101 - newest.seqs.size());
    CHECK(newest.more);
}

TEST_CASE("a page has at least one message, however large that is") {
    Message message = message_at(room_named("a"), 1);
    message.content = std::string(page_bytes_max + 1, 'x');
    const auto large = shared(std::move(message));
    CHECK(page_in(to_json(HistoryPage{{large}, false, true, {}}, true)).seqs.size() == 1);
    CHECK_FALSE(page_in(to_json(HistoryPage{{large}, false, true, {}}, true)).more);
}

TEST_CASE("what was recovered goes on behind the page; what was not ends at the head") {
    const Page recovered = page_in(to_json(join_reply(large_messages(100), true), "n1"));
    CHECK(recovered.seqs.front() == 1);
    CHECK(recovered.more);
    const Page latest = page_in(to_json(join_reply(large_messages(100), false), "n1"));
    CHECK(latest.seqs.back() == 100);
}

TEST_CASE("replies and errors have the members that clients know") {
    const engine::SendReply reply{
        MessageId{7}, Epoch{0, 18, 2}, Seq{3}, WallTime(WallTime::duration(5))};
    CHECK(to_json(reply) == R"({"id":"7","seq":3,"epoch":"0-12-2","inserted_at":5})");
    CHECK(to_json(Error{Reason::blocked, "secret detail", {}}) == R"({"reason":"blocked"})");
    CHECK(
        to_json(Error{Reason::rate_limited, {}, std::chrono::milliseconds(1500)})
        == R"({"reason":"rate_limited","retry_after_ms":1500})");
}

TEST_CASE(
    "a wait that is no whole millisecond is told rounded up, so that who waits it is not too "
    "early") {
    CHECK(
        to_json(Error{Reason::rate_limited, {}, std::chrono::microseconds(1)})
        == R"({"reason":"rate_limited","retry_after_ms":1})");
}

TEST_CASE("a reply with little space says more, and with very little has no message") {
    engine::JoinReply reply;
    for (int i = 0; i < 3; ++i) {
        Message message = test::message_at(room_named("a"), static_cast<std::uint64_t>(i + 1));
        message.content = std::string(20'000, 'x');
        reply.messages.push_back(std::make_shared<const Message>(std::move(message)));
    }
    reply.recovered = true;
    const auto count = [&](std::size_t page_bytes) {
        const std::string json = to_json(reply, "n1", page_bytes);
        std::size_t messages = 0;
        for (auto at = json.find("\"content\""); at != json.npos;
             at = json.find("\"content\"", at + 1))
            ++messages;
        CHECK((json.find("\"more\":true") != json.npos) == (messages < 3));
        return messages;
    };
    CHECK(count(page_bytes_max) == 3);
    CHECK(count(50'000) == 2);
    CHECK(count(16 * 1024) == 1);
    CHECK(count(1000) == 0);
}

TEST_CASE("a room's event is one frame for all, of the topic of its room") {
    const RoomId room = room_named("a \"b\"");
    const Framed framed =
        broadcast_frame(room, engine::Typing{{}, test::user_named("ann")}, Version::v2);
    CHECK(framed.message() == R"([null,null,"room:a \"b\"","typing",{"user_id":"ann"}])");
    const std::string_view frame = framed.bytes();
    CHECK(static_cast<unsigned char>(frame[0]) == 0x81);
    CHECK(static_cast<std::size_t>(frame[1]) == frame.size() - 2);
}

TEST_CASE("an event has the shape of the version it is made for, and a signal is binary") {
    const RoomId room = room_named("a");
    const engine::Typing typing{{}, test::user_named("ann")};
    CHECK(
        broadcast_frame(room, typing, Version::v1).message()
        == R"({"event":"typing","payload":{"user_id":"ann"},"ref":null,"topic":"room:a"})");
    CHECK(
        broadcast_frame(room, engine::Occupancy{1200}, Version::v2).message()
        == R"([null,null,"room:a","occupancy",{"count":1200}])");
    const auto nobody = std::make_shared<const engine::PresenceMap>();
    CHECK(
        broadcast_frame(room, engine::PresenceState{nobody}, Version::v2).message()
        == R"([null,null,"room:a","presence_state",{}])");
    const engine::Signal signal{{}, test::user_named("ann"), "cursor", std::string("\0\1", 2)};
    const Framed framed = broadcast_frame(room, signal, Version::v2);
    CHECK(framed.is_binary());
    CHECK(framed.message() == std::string("\2\6\6room:acursor\0\1", 17));
    CHECK(static_cast<unsigned char>(framed.bytes()[0]) == 0x82);
}

TEST_CASE("presence shows each meta with its fields, and a difference has both sides always") {
    engine::PresenceMap presence;
    presence["ann"] = {{"r2", "r1", 5, R"("status":"away")"}, {"r3", "", 6, ""}};
    CHECK(
        to_json(presence)
        == R"({"ann":{"metas":[{"phx_ref":"r2","phx_ref_prev":"r1","online_at":5,"status":"away"},)"
           R"({"phx_ref":"r3","online_at":6}]}})");
    CHECK(to_json(engine::PresenceMap{}) == "{}");
    CHECK(to_json(engine::PresenceDiff{}) == R"({"joins":{},"leaves":{}})");
}

}  // namespace chatx::node
