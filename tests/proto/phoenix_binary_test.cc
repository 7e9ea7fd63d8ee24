#include "proto/phoenix_binary.h"

#include "tests/proto/websocket_support.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace chatx::proto::phoenix {

namespace {

using websocket::from_hex;

/// A push as a client writes it. Each name has at most 255 bytes.
std::string push(
    std::string_view join_ref,
    std::string_view ref,
    std::string_view topic,
    std::string_view event,
    std::string_view payload) {
    std::string out(1, '\0');
    for (const auto name : {join_ref, ref, topic, event})
        out += static_cast<char>(name.size());
    for (const auto part : {join_ref, ref, topic, event, payload})
        out += part;
    return out;
}

BinaryPush decoded(std::string_view message) {
    auto result = decode_binary(message);
    REQUIRE(std::holds_alternative<BinaryPush>(result));
    return std::get<BinaryPush>(std::move(result));
}

bool refused(std::string_view message) {
    return std::holds_alternative<Malformed>(decode_binary(message));
}

}  // namespace

TEST_CASE("a recorded push is read") {
    const std::string message = from_hex("000202060335303531726f6f6d3a6262696e0102");
    const BinaryPush push = decoded(message);
    CHECK(push.join_ref == Ref::string("50"));
    CHECK(push.ref == Ref::string("51"));
    CHECK(push.topic == "room:b");
    CHECK(push.event == "bin");
    CHECK(push.payload == "\x01\x02");
}

TEST_CASE("a reply and a broadcast are the bytes that were recorded") {
    std::string reply;
    append_binary_reply(reply, {"50", "51", "room:b", Status::ok, "\x01\x02\x03\x04"});
    CHECK(
        reply
        == from_hex("01020206023530"
                    "3531726f6f6d3a626f6b01020304"));

    std::string to_no_ref;
    append_binary_reply(to_no_ref, {"50", "", "room:b", Status::ok, "\x08\x03\x04"});
    CHECK(to_no_ref == from_hex("01020006023530726f6f6d3a626f6b080304"));

    std::string broadcast;
    append_binary_broadcast(broadcast, {"room:b", "binbc", "\x01\x02"});
    CHECK(broadcast == from_hex("020605726f6f6d3a6262696e62630102"));

    std::string error;
    append_binary_reply(error, {"1", "2", "t", Status::error, ""});
    CHECK(
        error
        == from_hex("010101010531"
                    "32"
                    "74"
                    "6572726f72"));
}

TEST_CASE("an empty ref is null, and an empty payload is a payload") {
    const std::string message = push("", "", "room:b", "e", "");
    const BinaryPush push = decoded(message);
    CHECK(push.join_ref.is_null());
    CHECK(push.ref.is_null());
    CHECK(push.payload.empty());
}

TEST_CASE("names may have 255 bytes") {
    const std::string name(name_size_max, 'x');
    const std::string message = push("1", "2", name, name, "p");
    const BinaryPush push = decoded(message);
    CHECK(push.topic == name);
    CHECK(push.event == name);
    std::string out;
    append_binary_broadcast(out, {name, name, "p"});
    CHECK(out.size() == 3 + 2 * name_size_max + 1);
}

TEST_CASE("what is cut, of another kind or no text is refused") {
    const std::string whole = push("1", "2", "room:b", "event", "");
    for (std::size_t size = 0; size < whole.size(); ++size)
        CHECK(refused(std::string_view(whole).substr(0, size)));
    for (int kind = 1; kind < 256; ++kind) {
        std::string other = whole;
        other[0] = static_cast<char>(kind);
        CHECK(refused(other));
    }
    CHECK(refused(push("1", "2", "room:\xff", "event", "")));
    CHECK(refused(push("1", "2", "room:b", "\xc3", "")));
    CHECK(refused(push("1", "2", "room:b", "", "")));
    CHECK(refused(push("1", "2", "room:b", "a\nb", "")));
    CHECK(refused(push("1", std::string(Ref::size_max, 'r'), "room:b", "e", "")));
}

TEST_CASE("a ref is a plain text, null, or cannot be said in a binary frame") {
    CHECK(Ref::string("50").plain_text() == "50");
    CHECK(Ref().plain_text() == "");
    CHECK(!Ref::string("a\"b").plain_text());
    json::Parser parser;
    const auto nine = parser.parse("9");
    CHECK(!Ref::from(std::get<json::Value>(nine))->plain_text());
}

TEST_CASE("what a client writes is read as it was meant") {
    CHECK(rc::check([](const std::string& payload) {
        const auto name = [](std::size_t size_max) {
            return rc::gen::resize(
                static_cast<int>(size_max),
                rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('a', 'z'))));
        };
        const std::string join_ref = *name(30);
        const std::string ref = *name(30);
        const std::string topic = *name(100);
        const std::string event = *name(100);
        const std::string message = push(join_ref, ref, topic, event, payload);
        const auto result = decode_binary(message);
        RC_ASSERT(std::holds_alternative<BinaryPush>(result));
        const auto& read = std::get<BinaryPush>(result);
        RC_ASSERT(read.join_ref == Ref::string(join_ref));
        RC_ASSERT(read.ref == Ref::string(ref));
        RC_ASSERT(read.topic == topic);
        RC_ASSERT(read.event == event);
        RC_ASSERT(read.payload == payload);
    }));
}

TEST_CASE("no bytes do harm") {
    CHECK(rc::check([](const std::string& bytes) {
        const auto result = decode_binary(std::string(1, '\0') + bytes);
        if (const auto* push = std::get_if<BinaryPush>(&result))
            RC_ASSERT(push->payload.size() <= bytes.size());
    }));
}

}  // namespace chatx::proto::phoenix
