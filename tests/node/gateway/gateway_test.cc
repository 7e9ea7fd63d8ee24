#include "node/gateway/gateway.h"

#include "tests/node/net/net_node.h"
#include "tests/support/socket_client.h"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace chatx::node::test {

namespace {

using namespace std::chrono_literals;
using chatx::test::SocketClient;
namespace asio = boost::asio;

constexpr std::string_view join = R"(["1","1","room:a","phx_join",{}])";

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
    REQUIRE(node.admission().admit(peer));
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
    CHECK(third.read_to_end().starts_with("HTTP/1.1 429 "));
    SocketClient other(node.port());
    other.upgrade("bob");
    first.close();
    CHECK(eventually([&] { return node.series("chatx_websockets") == 2; }));
    SocketClient again(node.port());
    again.upgrade("ann");
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
