#include "proto/websocket.h"

#include "tests/proto/websocket_support.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace chatx::proto::websocket {

namespace {

using Kind = Event::Kind;

constexpr Decoder::Options as_client{.role = Role::client};

/// A bit of everything that may come, and what it means.
struct Conversation {
    std::string bytes;
    std::vector<Seen> seen;
};

Conversation conversation() {
    Conversation all;
    const auto say = [&](const std::string& frame) { all.bytes += frame; };
    say(client_frame(Opcode::text, "Hello"));
    all.seen.push_back({Kind::text, "Hello"});
    say(client_frame(Opcode::binary, {}));
    all.seen.push_back({Kind::binary, ""});
    say(client_frame(Opcode::text, "\xF0\x9F", false));  // A character cut in two.
    say(client_frame(Opcode::ping, "are you there"));
    all.seen.push_back({Kind::ping, "are you there"});
    say(client_frame(Opcode::continuation, {}, false));
    say(client_frame(Opcode::pong, {}));
    all.seen.push_back({Kind::pong, ""});
    say(client_frame(Opcode::continuation, "\x8E\x89"));
    all.seen.push_back({Kind::text, "\xF0\x9F\x8E\x89"});
    say(client_frame(Opcode::binary, std::string(300, '\xFF')));
    all.seen.push_back({Kind::binary, std::string(300, '\xFF')});
    say(client_frame(Opcode::binary, "a", false));
    say(client_frame(Opcode::continuation, {}));
    all.seen.push_back({Kind::binary, "a"});
    append_close(all.bytes, CloseCode::going_away, "bye", {.mask = test_mask});
    all.seen.push_back({Kind::close, "bye", CloseCode::going_away});
    say(client_frame(Opcode::text, "ignored"));
    return all;
}

}  // namespace

TEST_CASE("the examples of RFC 6455, 5.7 are read") {
    CHECK(
        decode(from_hex("81 05 48656c6c6f"), as_client)
        == std::vector<Seen>{{Kind::text, "Hello"}});
    CHECK(
        decode(from_hex("81 85 37fa213d 7f9f4d5158")) == std::vector<Seen>{{Kind::text, "Hello"}});
    CHECK(
        decode(from_hex("01 03 48656c 80 02 6c6f"), as_client)
        == std::vector<Seen>{{Kind::text, "Hello"}});
    CHECK(
        decode(from_hex("89 05 48656c6c6f"), as_client)
        == std::vector<Seen>{{Kind::ping, "Hello"}});
    CHECK(
        decode(from_hex("8a 85 37fa213d 7f9f4d5158")) == std::vector<Seen>{{Kind::pong, "Hello"}});
    const std::string bytes_256(256, 'b');
    CHECK(
        decode(from_hex("82 7e 0100") + bytes_256, as_client)
        == std::vector<Seen>{{Kind::binary, bytes_256}});
    const std::string bytes_64k(65536, 'k');
    CHECK(
        decode(from_hex("82 7f 0000000000010000") + bytes_64k, as_client)
        == std::vector<Seen>{{Kind::binary, bytes_64k}});
}

TEST_CASE("the examples of RFC 6455, 5.7 are written") {
    CHECK(server_frame(Opcode::text, "Hello") == from_hex("81 05 48656c6c6f"));
    CHECK(client_frame(Opcode::text, "Hello") == from_hex("81 85 37fa213d 7f9f4d5158"));
    CHECK(server_frame(Opcode::text, "Hel", false) == from_hex("01 03 48656c"));
    CHECK(server_frame(Opcode::continuation, "lo") == from_hex("80 02 6c6f"));
    CHECK(server_frame(Opcode::ping, "Hello") == from_hex("89 05 48656c6c6f"));
    CHECK(client_frame(Opcode::pong, "Hello") == from_hex("8a 85 37fa213d 7f9f4d5158"));
}

TEST_CASE("a length takes the shortest of three forms") {
    CHECK(frame_header(Opcode::text, 0).view() == from_hex("81 00"));
    CHECK(frame_header(Opcode::text, 125).view() == from_hex("81 7d"));
    CHECK(frame_header(Opcode::text, 126).view() == from_hex("81 7e 007e"));
    CHECK(frame_header(Opcode::binary, 65535).view() == from_hex("82 7e ffff"));
    CHECK(frame_header(Opcode::binary, 65536).view() == from_hex("82 7f 0000000000010000"));
    CHECK(frame_header(Opcode::text, 0x0102030405).view() == from_hex("81 7f 0000000102030405"));
}

TEST_CASE("cut in two anywhere, a stream says the same") {
    const auto [bytes, expected] = conversation();
    CHECK(decode(bytes) == expected);
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
        CAPTURE(at);
        Decoder decoder({});
        std::vector<Seen> seen;
        feed(decoder, bytes.substr(0, at), seen);
        feed(decoder, bytes.substr(at), seen);
        REQUIRE(seen == expected);
    }
}

TEST_CASE("cut into chunks of any size, a stream says the same") {
    const auto [bytes, expected] = conversation();
    for (std::size_t size = 1; size < 50; ++size) {
        CAPTURE(size);
        REQUIRE(decode(bytes, {}, size) == expected);
    }
}

TEST_CASE("what one end writes the other reads, cut anyhow") {
    struct Written {
        std::string bytes;
        std::vector<Seen> seen;
    };

    CHECK(rc::check([](const std::vector<std::vector<std::string>>& messages,
                       bool to_server,
                       const MaskKey& mask,
                       std::uint8_t chunk_size) {
        Written written;
        const auto key = to_server ? std::optional(mask) : std::nullopt;
        for (const auto& fragments : messages) {
            std::string whole;
            auto opcode = Opcode::binary;
            for (const auto& fragment : fragments) {
                append_frame(written.bytes, opcode, fragment, {.final = false, .mask = key});
                whole += fragment;
                opcode = Opcode::continuation;
            }
            append_frame(written.bytes, opcode, "end", {.final = true, .mask = key});
            written.seen.push_back({Kind::binary, whole + "end"});
        }
        const Decoder::Options options{.role = to_server ? Role::server : Role::client};
        RC_ASSERT(decode(written.bytes, options, chunk_size + 1U) == written.seen);
    }));
}

TEST_CASE("masking is its own inverse at every length and offset") {
    std::string payload;
    for (int i = 0; i < 70; ++i) {
        payload += static_cast<char>('A' + i % 26);
        const auto frame = client_frame(Opcode::binary, payload);
        for (std::size_t chunk = 1; chunk < 12; ++chunk) {
            REQUIRE(decode(frame, {}, chunk) == std::vector<Seen>{{Kind::binary, payload}});
        }
    }
}

TEST_CASE("a whole message is handed out from the bytes it came in") {
    auto bytes = client_frame(Opcode::text, "Hello") + client_frame(Opcode::ping, "p");
    Decoder decoder({});
    decoder.feed(bytes);
    const auto message = decoder.next();
    REQUIRE(message.has_value());
    CHECK(message->payload.data() == bytes.data() + 6);
    CHECK(decoder.memory_bytes() == 0);
    CHECK(decoder.next()->payload == "p");
    CHECK_FALSE(decoder.next().has_value());
}

TEST_CASE("a decoder holds memory for a message under way and for nothing else") {
    const auto start = client_frame(Opcode::text, std::string(1000, 'x'), false);
    const auto end = client_frame(Opcode::continuation, "y");
    Decoder decoder({});
    std::vector<Seen> seen;
    feed(decoder, start.substr(0, 700), seen);
    CHECK(decoder.memory_bytes() >= 600);
    feed(decoder, start.substr(700) + end, seen);
    CHECK(seen.at(0).payload.size() == 1001);
    CHECK(decoder.memory_bytes() == 0);

    feed(decoder, start, seen);
    CHECK(decoder.memory_bytes() >= 1000);
    feed(decoder, client_frame(Opcode::close, {}), seen);
    CHECK(decoder.finished());
    CHECK(decoder.memory_bytes() == 0);
}

TEST_CASE("an announced length takes no memory") {
    Decoder decoder({});
    std::vector<Seen> seen;
    const auto frame = client_frame(Opcode::binary, std::string(256 * 1024, 'x'));
    feed(decoder, frame.substr(0, 14 + 100), seen);
    CHECK(seen.empty());
    CHECK(decoder.memory_bytes() < 300);
}

TEST_CASE("fragments without payload are counted, cut anyhow, unless they end a message") {
    std::string bytes = client_frame(Opcode::text, {}, false);
    for (int i = 0; i < 3; ++i)
        bytes += client_frame(Opcode::continuation, {}, false);
    bytes += client_frame(Opcode::continuation, "a", false);
    bytes += client_frame(Opcode::ping, {});
    bytes += client_frame(Opcode::continuation, {});
    bytes += client_frame(Opcode::text, {});
    for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
        std::string stream = bytes;
        Decoder decoder({});
        std::size_t counted = 0;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            decoder.feed(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
            while (decoder.next()) {
            }
            counted += decoder.take_empty_fragments();
        }
        CHECK(counted == 4);
    }
}

TEST_CASE("nothing is heard after a close") {
    Decoder decoder({});
    std::vector<Seen> seen;
    feed(decoder, client_frame(Opcode::close, {}) + client_frame(Opcode::text, "late"), seen);
    feed(decoder, client_frame(Opcode::text, "later"), seen);
    CHECK(seen == std::vector<Seen>{{Kind::close, ""}});
    CHECK(decoder.finished());
}

TEST_CASE("a close carries a code, and a reason cut between characters") {
    const auto closed = [](CloseCode code, std::string_view reason) {
        std::string bytes;
        append_close(bytes, code, reason);
        return decode(bytes, as_client).at(0);
    };
    CHECK(closed(CloseCode::normal, "") == Seen{Kind::close, "", CloseCode::normal});
    CHECK(
        closed(CloseCode::service_restart, "restart")
        == Seen{Kind::close, "restart", CloseCode::service_restart});
    CHECK(closed(CloseCode::no_code, "unheard") == Seen{Kind::close, "", CloseCode::no_code});
    CHECK(closed(CloseCode::normal, std::string(123, 'x')).payload.size() == 123);
    CHECK(closed(CloseCode::normal, std::string(500, 'x')).payload.size() == 123);
    CHECK(closed(CloseCode::normal, std::string(122, 'x') + "\xC3\xA9").payload.size() == 122);
}

}  // namespace chatx::proto::websocket
