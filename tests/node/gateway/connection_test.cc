#include "node/gateway/connection.h"

#include "tests/node/net/net_node.h"
#include "tests/support/rates.h"
#include "tests/support/socket_client.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node::test {

namespace {

using namespace std::chrono_literals;
using chatx::test::no_limits;
using chatx::test::SocketClient;
using proto::websocket::Opcode;

constexpr std::string_view join = R"(["1","1","room:a","phx_join",{}])";
constexpr std::size_t small_outbox = 65'536;
constexpr std::string_view heartbeat = R"([null,"9","phoenix","heartbeat",{}])";

std::string message(std::string_view content) {
    return R"(["1","2","room:a","new_message",{"content":")" + std::string(content) + R"("}])";
}

std::string get(std::string_view path, std::string_view headers = {}) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n";
}

/// Rooms in which a user may say as much as it likes.
RoomHostOptions unlimited() {
    RoomHostOptions rooms;
    rooms.room.rate_limit.messages_per_sec = 0;
    return rooms;
}

/// Joins and hears that all is well.
void enter(SocketClient& client, std::string_view user) {
    client.upgrade(user);
    REQUIRE(client.say(SocketClient::frame(join)));
    client.hear_until("presence_state");
}

/// The connection works, to the room and back.
void check_alive(SocketClient& client) {
    REQUIRE(client.say(SocketClient::frame(heartbeat)));
    CHECK(
        client.hear_until(R"([null,"9","phoenix","phx_reply")").find(R"("ok")")
        != std::string::npos);
}

/// Says the same again and again, without reading, until the server closes.
bool floods_until_cut(SocketClient& client, const std::string& question) {
    std::string burst;
    for (int i = 0; i < 1000; ++i)
        burst += question;
    return eventually([&] { return !client.push(burst); });
}

}  // namespace

TEST_CASE("an upgrade and frames may come in any pieces, one byte each too") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    const std::string bytes = SocketClient::upgrade_request("ann") + SocketClient::frame(join)
                              + SocketClient::frame(heartbeat);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
        SocketClient client(node.port());
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            REQUIRE(client.say(bytes.substr(at, piece)));
        CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
        // A heartbeat waits for no room, so its answer may come first.
        std::string replies = client.hear_until("phx_reply");
        replies += client.hear_until("phx_reply");
        CHECK(replies.find(R"(["1","1","room:a")") != replies.npos);
        CHECK(replies.find(R"([null,"9","phoenix")") != replies.npos);
    }
    CHECK(deserted(node));
}

TEST_CASE(
    "requests in one burst are answered in order on one connection, and an upgrade may follow") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient client(node.port());
    REQUIRE(client.say(
        get("/1") + get("/2") + "HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/4")
        + SocketClient::upgrade_request("ann") + SocketClient::frame(heartbeat)));
    CHECK(client.read_until("GET /1").starts_with("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n"));
    CHECK(client.read_until("GET /2").starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n"));
    CHECK(client.read_until("GET /4").starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    check_alive(client);
}

TEST_CASE(
    "a connection ends behind the answer when the client says so, the head is bad or a body "
    "comes") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    for (const auto& [request, status] : std::vector<std::pair<std::string, std::string>>{
             {get("/", "Connection: close\r\n"), "200"},
             {"GET / HTTP/1.0\r\n\r\n", "200"},
             {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "200"},
             {"nonsense\r\n\r\n", "400"},
             {get("/", "X: " + std::string(9000, 'x') + "\r\n"), "431"},
             {get("/" + std::string(5000, 'x')), "414"},
             {get("/socket/websocket?vsn=2.0.0"), "400"},
             {get("/socket/websocket?vsn=3.0.0",
                  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                  "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
              "403"},
             {SocketClient::upgrade_request("__proto__"), "403"},
             {SocketClient::upgrade_request("%01"), "403"}}) {
        SocketClient client(node.port());
        REQUIRE(client.say(request + get("/never")));
        const std::string answer = client.read_to_end();
        CHECK(answer.starts_with("HTTP/1.1 " + status + " "));
        CHECK(answer.find("never") == answer.npos);
    }
    CHECK(deserted(node));
}

TEST_CASE("a head that does not come in time ends its connection, whatever trickles in") {
    NetNode node(
        {.gateway =
             {.session = {.rates = no_limits(), .node = {}},
              .outbox = {},
              .head_deadline = 500ms,
              .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {}});
    SocketClient silent(node.port());
    SocketClient slow(node.port());
    SocketClient good(node.port());
    enter(good, "ann");
    REQUIRE(slow.say("GET / HTTP/1.1\r\nX: "));
    CHECK(eventually([&] {
        for (int i = 0; i < 50; ++i)
            check_alive(good);
        return !slow.push("x");
    }));
    CHECK(silent.read_to_end().empty());
    check_alive(good);
}

TEST_CASE("an idle client is pinged, then closed with 1001; one that answers pings stays") {
    NetNode node(
        {.gateway =
             {.session = {}, .outbox = {}, .idle_max = 4s, .linger = 10s, .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {}});
    SocketClient idle(node.port());
    SocketClient good(node.port());
    idle.upgrade("ann");
    good.upgrade("bob");
    for (int pings = 0; pings < 2; ++pings) {
        CHECK(good.hear() == "ping");
        REQUIRE(good.say(SocketClient::frame("", Opcode::pong)));
    }
    CHECK(idle.hear() == "ping");
    CHECK(idle.hear() == "close 1001 idle");
    CHECK(idle.hear() == "end");
    check_alive(good);
}

TEST_CASE("a message beyond the limit closes with 1009, one at the limit does not") {
    NetNode node(
        {.gateway =
             {.session = {}, .outbox = {}, .message_size_max = 10'000, .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {}});
    const auto padded = [](std::size_t size) {
        const std::string shortest = R"([null,"9","phoenix","heartbeat",""])";
        return R"([null,"9","phoenix","heartbeat",")" + std::string(size - shortest.size(), 'x')
               + R"("])";
    };
    SocketClient client(node.port());
    client.upgrade("ann");
    REQUIRE(client.say(SocketClient::frame(padded(10'000))));
    client.hear_until("phx_reply");
    (void)client.say(SocketClient::frame(padded(10'001)));
    CHECK(client.hear().starts_with("close 1009 "));
    CHECK(client.hear() == "end");

    // Announced only: refused before a byte of it came.
    SocketClient liar(node.port());
    liar.upgrade("bob");
    REQUIRE(liar.say("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask"));
    CHECK(liar.hear().starts_with("close 1009 "));

    // Fragments without end.
    SocketClient endless(node.port());
    endless.upgrade("cat");
    std::string fragment;
    proto::websocket::append_frame(
        fragment,
        Opcode::text,
        std::string(4000, 'x'),
        {.final = false, .mask = proto::websocket::MaskKey{}});
    (void)endless.say(fragment);
    fragment.front() = '\0';
    for (int i = 0; i < 2; ++i)
        (void)endless.say(fragment);
    CHECK(endless.hear().starts_with("close 1009 "));
}

TEST_CASE("one client's fault ends its own connection and touches no other") {
    NetNode node({.shards = 2, .gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient good(node.port());
    enter(good, "good");
    for (const auto& [bytes, code] : std::vector<std::pair<std::string, std::string>>{
             {SocketClient::frame("nonsense"), "1002"},
             {SocketClient::frame("\x01\x02", Opcode::binary), "1002"},
             {SocketClient::frame("\xff\xfe"), "1007"},
             {std::string("\x81\x01x", 3), "1002"},         // Not masked.
             {std::string("\xc1\x80\0\0\0\0", 6), "1002"},  // A reserved bit.
             {std::string("\x83\x80\0\0\0\0", 6), "1002"},  // A reserved opcode.
             {std::string("\x80\x80\0\0\0\0", 6), "1002"},  // A continuation of nothing.
             {std::string("\x09\x80\0\0\0\0", 6), "1002"},  // A ping in pieces.
             {SocketClient::frame(std::string("\x03\xed", 2), Opcode::close),
              "1002"}}) {  // 1005 on the wire.
        SocketClient bad(node.port());
        enter(bad, "bad");
        good.hear_until("presence_diff");
        REQUIRE(bad.say(bytes));
        const std::string closed = bad.hear_until("close ");
        CHECK(closed.starts_with("close " + code));
        CHECK(bad.hear() == "end");
        good.hear_until("presence_diff");
        check_alive(good);
    }
    CHECK(node.subscriber_count() == 1);
}

TEST_CASE("a client that closes is answered with its own code, and then the connection ends") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient client(node.port());
    client.upgrade("ann");
    REQUIRE(client.say(SocketClient::frame("\x03\xe8", Opcode::close)));
    CHECK(client.hear() == "close 1000 ");
    CHECK(client.hear() == "end");
    client.close();
    CHECK(deserted(node));
}

TEST_CASE("a client that never reads is cut off while the others hear everything") {
    NetNode node(
        {.shards = 2,
         .gateway =
             {.session = {.rates = no_limits(), .node = {}},
              .outbox = {.bytes_max = small_outbox},
              .allowed_origins = {}},
         .rooms = unlimited(),
         .adapters = {},
         .checks = {}});
    SocketClient deaf(node.port(), 4096);
    SocketClient good(node.port());
    SocketClient sender(node.port());
    enter(deaf, "deaf");
    enter(good, "good");
    enter(sender, "sender");
    const std::string content(3000, 'x');
    int sent = 0;
    while (node.series("chatx_slow_consumer_cut_total") == 0) {
        REQUIRE(++sent < 50'000);
        REQUIRE(sender.say(SocketClient::frame(message(content))));
        sender.hear_until("phx_reply");
        good.hear_until("new_message");
    }
    CHECK(eventually([&] { return node.connection_count() == 2; }));
    SocketClient late(node.port());
    late.upgrade("late");
    REQUIRE(late.say(SocketClient::frame(join)));
    CHECK(late.hear_until("presence_state").find("deaf") == std::string::npos);
    check_alive(good);
}

TEST_CASE("a client that asks without reading is cut off as soon as its answers pass the bound") {
    NetNode node(
        {.gateway =
             {.session = {.rates = no_limits(), .node = {}},
              .outbox = {.bytes_max = small_outbox, .age_max = 1h},
              .linger = 100ms,
              .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {}});
    for (const std::string& question :
         {SocketClient::frame(std::string(100, 'x'), Opcode::ping),
          SocketClient::frame(heartbeat)}) {
        SocketClient client(node.port(), 4096);
        client.upgrade("ann");
        CHECK(floods_until_cut(client, question));
    }
    CHECK(node.series("chatx_slow_consumer_cut_total") == 2);
    CHECK(deserted(node));
}

TEST_CASE("who floods with pings, pongs or empty fragments is cut off, also inside a message") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    const auto empty = [](Opcode opcode) {
        std::string bytes;
        proto::websocket::append_frame(
            bytes, opcode, {}, {.final = false, .mask = proto::websocket::MaskKey{}});
        return bytes;
    };
    for (const auto& [first, again] : std::vector<std::pair<std::string, std::string>>{
             {{}, SocketClient::frame({}, Opcode::ping)},
             {{}, SocketClient::frame("x", Opcode::pong)},
             {empty(Opcode::text), empty(Opcode::continuation)}}) {
        SocketClient client(node.port());
        client.upgrade("ann");
        std::string flood = first;
        for (int i = 0; i < 3000; ++i)
            flood += again;
        (void)client.say(flood);
        CHECK(client.hear_until("close") == "close 1008 too many frames");
        CHECK(client.hear() == "end");
    }
    CHECK(node.series("chatx_frame_refused_total{limit=\"heartbeats_per_sec\"}") >= 3 * 1000);
    CHECK(deserted(node));
}

TEST_CASE("no answer is left out: a client that does not read its pages is cut off instead") {
    NetNode node(
        {.gateway =
             {.session = {},
              .outbox = {.bytes_max = small_outbox},
              .linger = 100ms,
              .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {}});
    SocketClient client(node.port(), 4096);
    CHECK(floods_until_cut(client, get("/")));
    CHECK(deserted(node));
}

TEST_CASE("a client that says no more still gets all it asked for") {
    const auto page = std::make_shared<const std::string>(
        std::size_t{16} * 1024 * 1024, 'x');  // More than a socket buffers.
    NetNode node(
        {.gateway =
             {.session = {},
              .outbox = {.bytes_max = std::size_t{32} * 1024 * 1024},
              .linger = 10s,
              .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {},
         .page = [page](const HttpRequest&) {
             HttpResponse response;
             response.body = *page;
             return response;
         }});
    SocketClient client(node.port());
    REQUIRE(client.say(get("/")));
    client.shutdown_send();
    client.read_until("\r\n\r\n");
    CHECK(client.read_to_end().size() == page->size());
    client.close();
    CHECK(deserted(node));
}

TEST_CASE("a half-closed WebSocket is over") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient client(node.port());
    enter(client, "ann");
    client.shutdown_send();
    CHECK(client.hear() == "end");
    CHECK(deserted(node));
}

}  // namespace chatx::node::test
