#include "node/gateway/gateway.h"

#include "tests/node/net/net_node.h"
#include "tests/support/socket_client.h"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chatx::node::test {

namespace {

using namespace std::chrono_literals;
using chatx::test::SocketClient;
namespace asio = boost::asio;

constexpr std::string_view join = R"(["1","1","room:a","phx_join",{}])";
constexpr std::string_view message = R"(["1","2","room:a","new_message",{"content":"hi"}])";

/// A client that the node takes for one at another address.
class Stranger {
public:
    Stranger(NetNode& node, std::string_view address) : client(0) {
        asio::ip::tcp::acceptor acceptor(
            node.shard(0).io(), asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        client.connect(acceptor.local_endpoint().port());
        const auto socket =
            std::make_shared<asio::ip::tcp::socket>(acceptor.accept(node.shard(0).io()));
        const auto peer = asio::ip::make_address(address);
        REQUIRE_FALSE(node.admission().admit(peer, monotonic_now()));
        node.shard(0).call(
            [socket, peer](Shard& shard) { shard.gateway().adopt(std::move(*socket), peer); });
    }

    SocketClient client;
};

}  // namespace

TEST_CASE("connections come and go, at every stage, and leave nothing behind") {
    NetNode node({.shards = 2, .gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    for (int round = 0; round < 40; ++round) {
        for (int stage = 0; stage < 6; ++stage) {
            SocketClient client(node.port());
            if (stage == 1) (void)client.say("GET / HT");
            if (stage == 2) (void)client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            if (stage >= 3) client.upgrade("ann");
            if (stage >= 4) (void)client.say(SocketClient::frame(join));
            if (stage >= 5) client.hear_until("presence_state");
            if (round % 2 == 0) client.reset();
        }
    }
    CHECK(deserted(node));
    CHECK(node.series("chatx_connections") == 0);
    CHECK(node.series("chatx_websockets") == 0);
}

TEST_CASE("a peer that is gone before its connection is taken over does no harm") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    asio::ip::tcp::acceptor acceptor(
        node.shard(0).io(), asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    SocketClient client(acceptor.local_endpoint().port());
    const auto socket =
        std::make_shared<asio::ip::tcp::socket>(acceptor.accept(node.shard(0).io()));
    const auto peer = socket->remote_endpoint().address();
    client.reset();
    REQUIRE(eventually([&] {
        boost::system::error_code gone;
        (void)socket->remote_endpoint(gone);
        return gone.failed();
    }));
    REQUIRE_FALSE(node.admission().admit(peer, monotonic_now()));
    node.shard(0).call(
        [socket, peer](Shard& shard) { shard.gateway().adopt(std::move(*socket), peer); });
    CHECK(deserted(node));
}

TEST_CASE("a drain closes WebSockets with 1012 in batches, and everything else at once") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient silent(node.port());
    std::deque<SocketClient> clients;
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(node.port());
        clients.back().upgrade("user" + std::to_string(i));
        REQUIRE(clients.back().say(SocketClient::frame(join)));
        clients.back().hear_until("presence_state");
    }
    const auto drain = [&] {
        return node.on(0, [](Shard& shard) { return shard.gateway().drain(2); });
    };
    CHECK(drain() == 3);
    CHECK(silent.read_to_end().empty());
    CHECK(drain() == 1);
    CHECK(drain() == 0);
    for (SocketClient& client : clients) {
        CHECK(client.hear_until("close ") == "close 1012 restarting");
        CHECK(client.hear() == "end");
        client.close();
    }
    CHECK(drain() == 0);
    CHECK(deserted(node));
}

TEST_CASE("a user has so many connections; the next one is answered with 429") {
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .admission =
             {.connections_max = 100,
              .connections_per_address_max = 1,
              .connections_per_user_max = 2},
         .adapters = {},
         .checks = {}});
    SocketClient first(node.port());
    SocketClient second(node.port());
    first.upgrade("ann");
    second.upgrade("ann");
    SocketClient third(node.port());
    REQUIRE(third.say(SocketClient::upgrade_request("ann")));
    const std::string refused = third.read_to_end();
    CHECK(refused.starts_with("HTTP/1.1 429 "));
    CHECK(refused.find("\r\nRetry-After: 5\r\n") != refused.npos);
    CHECK(refused.find(R"("reason":"too_many_connections")") != refused.npos);
    CHECK(node.series("chatx_handshake_refused_total{reason=\"too_many_connections\"}") == 1);
    SocketClient other(node.port());
    other.upgrade("bob");
    first.close();
    CHECK(eventually([&] { return node.series("chatx_websockets") == 2; }));
    SocketClient again(node.port());
    again.upgrade("ann");
}

TEST_CASE("from the first batch of a drain on, nothing new is taken") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient client(node.port());
    client.upgrade("ann");
    REQUIRE(client.say(SocketClient::frame(join)));
    client.hear_until("presence_state");
    CHECK(node.on(0, [](Shard& shard) { return shard.gateway().drain(0); }) == 1);
    REQUIRE(client.say(SocketClient::frame(message)));
    CHECK(
        client.hear_until("phx_reply").find(R"({"reason":"shutting_down","retry_after_ms":1000})")
        != std::string::npos);
    SocketClient late(node.port());
    REQUIRE(late.say(SocketClient::upgrade_request("bob")));
    const std::string refused = late.read_to_end();
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    CHECK(refused.find(R"("reason":"shutting_down")") != refused.npos);
    CHECK(node.series("chatx_handshake_refused_total{reason=\"shutting_down\"}") == 1);
}

TEST_CASE("clients of one address share a rate of frames, those of another and of this host not") {
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .admission = {.frames = engine::TokenRate({.tokens_per_sec = 0.001, .burst = 3})},
         .adapters = {},
         .checks = {}});
    Stranger ann(node, "192.0.2.1");
    Stranger bob(node, "192.0.2.1");
    Stranger cat(node, "192.0.2.2");
    SocketClient dan(node.port());
    for (SocketClient* client : {&ann.client, &bob.client, &cat.client, &dan}) {
        client->upgrade("user");
        REQUIRE(client->say(SocketClient::frame(join)));
        client->hear_until("presence_state");
    }
    const auto answer_to = [](SocketClient& client) {
        REQUIRE(client.say(SocketClient::frame(message)));
        return client.hear_until(R"(["1","2","room:a","phx_reply")");
    };
    CHECK(answer_to(ann.client).find(R"("ok")") != std::string::npos);
    for (SocketClient* client : {&ann.client, &bob.client})
        CHECK(answer_to(*client).find(R"("reason":"rate_limited")") != std::string::npos);
    CHECK(answer_to(cat.client).find(R"("ok")") != std::string::npos);
    for (int i = 0; i < 5; ++i)
        CHECK(answer_to(dan).find(R"("ok")") != std::string::npos);
    CHECK(node.series("chatx_frame_refused_total{limit=\"frames_per_sec_per_ip\"}") == 2);
}

TEST_CASE("a refused handshake leaves one line that says why, and holds no secret") {
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .admission = {.connections_per_user_max = 0},
         .adapters = {},
         .checks = {},
         .log = LogLevel::info});
    const auto request = [](std::string_view query, std::string_view headers) {
        return "GET /socket/websocket?token=secret1&" + std::string(query)
               + " HTTP/1.1\r\nHost: chat.example.com\r\nUpgrade: websocket\r\nConnection: "
                 "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                 "dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: secret2\r\nCookie: secret3\r\n"
               + std::string(headers) + "\r\n";
    };
    const std::string long_origin = "https://" + std::string(1000, 'x') + ".evil.com";
    for (const auto& [bytes, why] : std::vector<std::pair<std::string, std::string>>{
             {request("vsn=2.0.0", "Origin: https://evil.com\r\n"),
              "why=origin origin=https://evil.com host=chat.example.com"},
             {request("vsn=2.0.0", "Origin: " + long_origin + "\r\n"), "why=origin"},
             {request("vsn=3.0.0", {}), "why=vsn"},
             {request("vsn=2.0.0", "Sec-WebSocket-Protocol: base64url.bearer.phx.secret4\r\n"),
              "why=subprotocol"},
             {request("vsn=2.0.0&user_id=%01", {}), "why=user"},
             {request("vsn=2.0.0&user_id=ann", {}), "why=too_many_connections"},
             {"GET /socket/websocket?secret5 HTTP/1.1\r\nHost: a\r\n\r\n", "why=not_an_upgrade"}}) {
        const std::string before = node.log_lines();
        SocketClient client(node.port());
        REQUIRE(client.say(bytes));
        (void)client.read_to_end();
        const std::string line = node.log_lines().substr(before.size());
        INFO(line);
        CHECK(line.find("handshake refused peer=127.0.0.1 " + why) != line.npos);
        CHECK(std::count(line.begin(), line.end(), '\n') == 1);
        CHECK(line.size() < 500);
    }
    CHECK(node.log_lines().find("secret") == std::string::npos);
    CHECK(node.series("chatx_handshake_refused_total{reason=\"origin\"}") == 2);
    CHECK(node.series("chatx_handshake_refused_total{reason=\"user\"}") == 1);
}

TEST_CASE("guests have names of their own") {
    NetNode node({.shards = 2, .gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    std::deque<SocketClient> guests;
    std::string names;
    for (int i = 0; i < 4; ++i) {
        guests.emplace_back(node.port());
        guests.back().upgrade("");
        REQUIRE(guests.back().say(SocketClient::frame(join)));
        names = guests.back().hear_until("presence_state");
    }
    for (const std::string_view name : {"guest-0-1", "guest-0-2", "guest-1-1", "guest-1-2"}) {
        CHECK(names.find(name) != names.npos);
    }
}

}  // namespace chatx::node::test
