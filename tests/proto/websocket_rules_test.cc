#include "proto/websocket.h"
#include "tests/proto/websocket_support.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

/// What a peer may not send, and what it is told.
namespace chatx::proto::websocket {

namespace {

constexpr CloseCode broken = CloseCode::protocol_error;
constexpr CloseCode not_utf8 = CloseCode::invalid_payload;
constexpr CloseCode too_big = CloseCode::message_too_big;
constexpr std::size_t limit = 256 * 1024;

/// The last event of a stream, fed whole and byte by byte.
Seen last_of(const std::string& bytes, Role role = Role::server) {
    const auto whole = decode(bytes, {.role = role, .message_size_max = limit});
    REQUIRE(whole == decode(bytes, {.role = role, .message_size_max = limit}, 1));
    REQUIRE_FALSE(whole.empty());
    return whole.back();
}

bool fails_with(CloseCode code, const std::string& bytes, Role role = Role::server) {
    const auto last = last_of(bytes, role);
    return last.kind == Event::Kind::failure && last.code == code && !last.payload.empty();
}

std::string close_with(std::string_view payload) {
    return client_frame(Opcode::close, payload);
}

std::string code_bytes(unsigned code) {
    return {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
}

/// A masked binary frame that announces a length in eight bytes, and nothing behind its header.
std::string announced(std::string_view length_hex) {
    return from_hex("82 ff") + from_hex(length_hex) + from_hex("00000000");
}

}  // namespace

TEST_CASE("a header that breaks a rule fails as soon as it can be told") {
    struct Case {
        std::string_view what;
        std::string_view hex;
        CloseCode code;
    };

    constexpr auto cases = std::to_array<Case>({
        {"RSV1", "c1 80", broken},
        {"RSV2", "a1 80", broken},
        {"RSV3", "91 80", broken},
        {"all reserved bits", "f1 80", broken},
        {"RSV1 on a ping", "c9 80", broken},
        {"opcode 3", "83 80", broken},
        {"opcode 4", "84 80", broken},
        {"opcode 5", "85 80", broken},
        {"opcode 6", "86 80", broken},
        {"opcode 7", "87 80", broken},
        {"opcode 11", "8b 80", broken},
        {"opcode 12", "8c 80", broken},
        {"opcode 13", "8d 80", broken},
        {"opcode 14", "8e 80", broken},
        {"opcode 15", "8f 80", broken},
        {"no mask on text", "81 05", broken},
        {"no mask on a ping", "89 00", broken},
        {"no mask on a close", "88 00", broken},
        {"ping in fragments", "09 80", broken},
        {"pong in fragments", "0a 80", broken},
        {"close in fragments", "08 80", broken},
        {"ping of 126", "89 fe", broken},
        {"pong of 65536", "8a ff", broken},
        {"close of 126", "88 fe", broken},
        {"continuation of nothing", "80 80", broken},
        {"first continuation of nothing", "00 80", broken},
        {"length 0 in two bytes", "81 fe 0000 00000000", broken},
        {"length 125 in two bytes", "81 fe 007d 00000000", broken},
        {"length 0 in eight bytes", "81 ff 0000000000000000 00000000", broken},
        {"length 125 in eight bytes", "81 ff 000000000000007d 00000000", broken},
        {"length 65535 in eight bytes", "81 ff 000000000000ffff 00000000", broken},
        {"text inside a text", "01 81 00000000 61 81 80", broken},
        {"binary inside a text", "01 81 00000000 61 82 80", broken},
        {"continuation after the end", "01 80 00000000 80 80 00000000 80 80", broken},
        {"one byte of close code", "88 81 00000000 03", broken},
        {"text of one stray byte", "81 81 00000000 80", not_utf8},
        {"text of a cut character", "81 82 00000000 c3a9 81 81 00000000 c3", not_utf8},
        {"text of a surrogate", "81 83 00000000 eda080", not_utf8},
        {"text in fragments, cut at its end", "01 81 00000000 e2 80 81 00000000 82", not_utf8},
        {"close reason that is cut", "88 83 00000000 03e8 ff", not_utf8},
    });
    for (const auto& each : cases) {
        CAPTURE(each.what);
        CHECK(fails_with(each.code, from_hex(each.hex)));
    }
}

TEST_CASE("a server that masks breaks a rule too") {
    CHECK(fails_with(broken, client_frame(Opcode::text, "x"), Role::client));
    CHECK(fails_with(broken, client_frame(Opcode::ping, ""), Role::client));
    CHECK(fails_with(too_big, from_hex("82 7f 0000000000040001"), Role::client));
    CHECK(fails_with(broken, from_hex("82 7f 8000000000000000"), Role::client));
    CHECK(fails_with(too_big, from_hex("82 7f 7fffffffffffffff"), Role::client));
}

TEST_CASE("no announced length is too large to be refused") {
    CHECK(fails_with(broken, announced("8000000000000000")));
    CHECK(fails_with(broken, announced("8000000000000001")));
    CHECK(fails_with(broken, announced("ffffffffffffffff")));
    CHECK(fails_with(too_big, announced("7fffffffffffffff")));
    CHECK(fails_with(too_big, announced("7f00000000000000")));
    CHECK(fails_with(too_big, announced("0000000100000001")));
    CHECK(fails_with(too_big, announced("0000000100000000")));
    CHECK(fails_with(too_big, announced("00000000ffffffff")));
    CHECK(fails_with(too_big, announced("0000000000040001")));
    CHECK(decode(announced("0000000000040000"), {.message_size_max = limit}).empty());
}

TEST_CASE("a message at the limit passes, one byte more does not") {
    const std::string largest(limit, 'x');
    CHECK(last_of(client_frame(Opcode::text, largest)).payload == largest);
    CHECK(fails_with(too_big, client_frame(Opcode::text, largest + 'x')));

    const auto fragment = client_frame(Opcode::text, std::string(limit - 1, 'x'), false);
    CHECK(last_of(fragment + client_frame(Opcode::continuation, "x")).payload == largest);
    CHECK(fails_with(too_big, fragment + client_frame(Opcode::continuation, "xx")));
}

TEST_CASE("the sum of fragments is limited, not each alone") {
    Decoder decoder({.message_size_max = limit});
    std::vector<Seen> seen;
    feed(decoder, client_frame(Opcode::binary, {}, false), seen);
    const auto fragment = client_frame(Opcode::continuation, std::string(64 * 1024, 'x'), false);
    int fragments = 0;
    while (!decoder.finished() && fragments < 1000) {
        feed(decoder, fragment, seen);
        ++fragments;
        CHECK(decoder.memory_bytes() <= 2 * limit);
    }
    CHECK(fragments == 5);
    CHECK(seen == std::vector<Seen>{{Event::Kind::failure, "message is too big", too_big}});
    CHECK(decoder.memory_bytes() == 0);
}

TEST_CASE("fragments without content take no memory however many come") {
    Decoder decoder({.message_size_max = limit});
    std::vector<Seen> seen;
    feed(decoder, client_frame(Opcode::text, {}, false), seen);
    for (int i = 0; i < 10'000; ++i)
        feed(decoder, client_frame(Opcode::continuation, {}, false), seen);
    CHECK(seen.empty());
    CHECK(decoder.memory_bytes() == 0);
}

TEST_CASE("close codes that may be sent are taken, the others are not") {
    for (const unsigned code :
         {1000U,
          1001U,
          1002U,
          1003U,
          1007U,
          1008U,
          1009U,
          1010U,
          1011U,
          1012U,
          1013U,
          1014U,
          3000U,
          3999U,
          4000U,
          4001U,
          4999U}) {
        CAPTURE(code);
        const auto last = last_of(close_with(code_bytes(code) + "why"));
        CHECK(last == Seen{Event::Kind::close, "why", static_cast<CloseCode>(code)});
    }
    for (const unsigned code :
         {0U, 1U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U}) {
        CAPTURE(code);
        CHECK(fails_with(broken, close_with(code_bytes(code))));
    }
}

TEST_CASE("a failure is the last event") {
    const auto seen = decode(
        client_frame(Opcode::text, "ok") + from_hex("83 80") + client_frame(Opcode::text, "x"));
    REQUIRE(seen.size() == 2);
    CHECK(seen[0] == Seen{Event::Kind::text, "ok"});
    CHECK(seen[1] == Seen{Event::Kind::failure, "unknown opcode", broken});
}

TEST_CASE("any bytes at all end in a failure or in waiting, the same however they are cut") {
    std::uint64_t state = 42;
    const auto random_byte = [&] {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<char>(state >> 56);
    };
    for (int round = 0; round < 2'000; ++round) {
        std::string bytes(60, '\0');
        for (auto& byte : bytes)
            byte = random_byte();
        bytes[0] = static_cast<char>(bytes[0] & 0x8F);  // Often a good start.
        bytes[1] = static_cast<char>(bytes[1] | 0x80);
        REQUIRE(decode(bytes) == decode(bytes, {}, 1));
    }
}

}  // namespace chatx::proto::websocket
