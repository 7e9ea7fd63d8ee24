#include "tests/node/net/net_node.h"
#include "tests/support/rates.h"
#include "tests/support/socket_client.h"

#include <doctest/doctest.h>

#include <string>

namespace chatx::node::test {

using chatx::test::SocketClient;

TEST_CASE("a client that stops reading for a while is told what it missed, and stays connected") {
    GatewayOptions gateway;
    gateway.session.gaps = true;
    gateway.session.rates = chatx::test::no_limits();
    gateway.outbox.offered_max = std::size_t{16} * 1024;
    gateway.outbox.bytes_max = 2 * gateway.outbox.offered_max;
    RoomHostOptions rooms;
    rooms.room.rate_limit.messages_per_sec = 0;
    NetNode node({.gateway = gateway, .rooms = rooms, .adapters = {}, .checks = {}});
    SocketClient ben(node.port(), 4096);
    SocketClient ann(node.port());
    for (SocketClient* client : {&ben, &ann}) {
        client->upgrade(client == &ann ? "ann" : "ben");
        REQUIRE(client->say(SocketClient::frame(R"(["1","1","room:a","phx_join",{}])")));
        client->hear_until("presence_state");
    }
    ben.hear_until(R"("joins":{"ann")");
    const std::string words =
        R"(["1","2","room:a","new_message",{"content":")" + std::string(4000, 'x') + R"("}])";
    const auto left_out = [&] { return node.series("chatx_slow_consumer_left_out_total"); };
    for (int i = 0; i < 5000 && left_out() < 3; ++i) {
        REQUIRE(ann.say(SocketClient::frame(words)));
        ann.hear_until("phx_reply");
    }
    CHECK(left_out() == 3);
    const std::string gap = ben.hear_until(R"("gap")");
    CHECK(gap.find(R"("reason":"slow_consumer"})") != gap.npos);
    REQUIRE(ann.say(SocketClient::frame(R"(["1","3","room:a","new_message",{"content":"on"}])")));
    ben.hear_until(R"("content":"on")");
    CHECK(node.series("chatx_slow_consumer_gap_total") == 1);
    CHECK(node.series("chatx_slow_consumer_cut_total") == 0);
}

}  // namespace chatx::node::test
