#include "node/config_rules.h"

#include "node/payloads.h"
#include "tests/support/local_node.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace chatx::test {

namespace {

constexpr std::size_t content_bytes = 1000;

std::string repeated(std::string_view text, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i)
        all += text;
    return all;
}

/// A message that takes as much of a frame as one of its kind can.
MessagePtr largest_message() {
    constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
    constexpr auto epoch_part = std::numeric_limits<std::uint32_t>::max();
    return std::make_shared<const Message>(Message{
        MessageId{largest},
        RoomId::parse(repeated("\"", RoomId::size_max)).value(),
        UserId::parse(repeated("\"", UserId::size_max)).value(),
        repeated("\x01", content_bytes),
        WallTime(WallTime::duration::max()),
        Epoch{epoch_part, largest, std::numeric_limits<std::uint16_t>::max()},
        Seq{largest},
        repeated("\x01", client_id_size_max),
        MessageId{largest}});
}

}  // namespace

TEST_CASE("the frame of a broadcast is no larger than the rules count with") {
    const MessagePtr message = largest_message();
    const auto framed = node::broadcast_frame(message->room, message, proto::phoenix::Version::v2);
    const std::string_view frame = framed.bytes();
    CHECK(frame.size() <= node::frame_bytes_max(content_bytes));
    CHECK(frame.size() > node::frame_bytes_max(content_bytes) - node::frame_envelope_bytes_max);
}

TEST_CASE("the page of one message is no larger than the rules count with") {
    engine::JoinReply reply;
    reply.messages = {largest_message()};
    reply.epoch = reply.messages.front()->epoch;
    reply.seq = reply.messages.front()->seq;
    constexpr std::size_t reply_envelope = 800;  // Its refs and its topic.
    CHECK(
        node::to_json(reply, std::string(63, 'n')).size() + reply_envelope
        <= node::frame_bytes_max(content_bytes));
}

TEST_CASE("a client that escapes all it says stays within what the rules count with") {
    constexpr std::string_view escaped = "\\u0041";
    const std::string ref = "\"" + repeated(escaped, 62) + "\"";
    const std::string topic =
        "\"\\u0072\\u006f\\u006f\\u006d\\u003a" + repeated(escaped, RoomId::size_max) + "\"";
    const std::string join = "[" + ref + "," + ref + "," + topic + R"(,"phx_join",{}])";
    const std::string send =
        "[" + ref + "," + ref + "," + topic
        + R"(,"\u006e\u0065\u0077\u005f\u006d\u0065\u0073\u0073\u0061\u0067\u0065",{)"
        + R"("\u0063\u006f\u006e\u0074\u0065\u006e\u0074":")" + repeated(escaped, content_bytes)
        + R"(","\u0063\u006c\u0069\u0065\u006e\u0074\u005f\u0069\u0064":")"
        + repeated(escaped, client_id_size_max)
        + R"(","\u0072\u0065\u0070\u006c\u0079\u005f\u0074\u006f":")" + repeated("\\u0031", 19)
        + "\"}]";
    CHECK(send.size() <= node::frame_bytes_max(content_bytes));

    LocalNode::Options options;
    options.session.message_size_limit = content_bytes;
    LocalNode node(options);
    LocalClient& client = node.connect("ann");
    client.say(join);
    client.say(send);
    node.settle();
    const auto heard = client.hear();
    CHECK(heard.back().find(R"("status":"ok")") != std::string::npos);
}

}  // namespace chatx::test
