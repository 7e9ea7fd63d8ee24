#include "node/gateway/listener.h"

#include "tests/node/net/net_node.h"
#include "tests/support/socket_client.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <string>

namespace chatx::node::test {

namespace {

using chatx::test::SocketClient;

/// The number of descriptors of this process, while it lives, such that the next one is one too
/// many.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ::close(lowest_free);
        const rlimit none{
            .rlim_cur = static_cast<rlim_t>(lowest_free), .rlim_max = before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }

    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

/// So many descriptors for this process, while it lives.
class Descriptors {
public:
    explicit Descriptors(rlim_t count) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit raised{
            .rlim_cur = std::max(before_.rlim_cur, std::min(count, before_.rlim_max)),
            .rlim_max = before_.rlim_max};
        REQUIRE(raised.rlim_cur >= count);
        ::setrlimit(RLIMIT_NOFILE, &raised);
    }

    Descriptors(const Descriptors&) = delete;
    Descriptors& operator=(const Descriptors&) = delete;

    ~Descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

constexpr std::string_view request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::size_t connections_on(NetNode& node, std::size_t shard) {
    return node.on(shard, [](Shard& self) { return self.gateway().connection_count(); });
}

}  // namespace

TEST_CASE("connections are dealt to the shards in turn") {
    NetNode node({.shards = 2, .gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    std::deque<SocketClient> clients;
    for (int i = 0; i < 6; ++i)
        clients.emplace_back(node.port());
    CHECK(eventually([&] { return connections_on(node, 0) == 3 && connections_on(node, 1) == 3; }));
}

TEST_CASE(
    "beyond the limit a connection is closed before a byte is read, and later there is room "
    "again") {
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .admission =
             {.connections_max = 2,
              .connections_per_address_max = 1,
              .connections_per_user_max = 1},
         .adapters = {},
         .checks = {}});
    SocketClient first(node.port());
    SocketClient second(node.port());
    CHECK(eventually([&] { return node.admission().connection_count() == 2; }));
    SocketClient third(node.port());
    CHECK(third.read_to_end().empty());
    first.close();
    CHECK(eventually([&] { return node.admission().connection_count() == 1; }));
    SocketClient fourth(node.port());
    REQUIRE(fourth.say(request));
    CHECK(fourth.read_to_end().ends_with("GET /x"));
}

TEST_CASE("clients that say nothing are so many; the next one waits until one of them speaks") {
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .admission = {.pending_max = 2},
         .adapters = {},
         .checks = {}});
    SocketClient first(node.port());
    SocketClient second(node.port());
    REQUIRE(second.say("GET / HTTP/1.1\r\nHo"));
    CHECK(eventually([&] { return node.admission().pending_count() == 2; }));
    SocketClient third(node.port());
    REQUIRE(third.say(request));
    CHECK(eventually([&] {
        return node.series("chatx_accept_paused_total{limit=\"pending_connections\"}") > 1;
    }));
    CHECK(node.connection_count() == 2);
    REQUIRE(second.say("st: a\r\n\r\n"));
    second.read_until("GET /");
    CHECK(third.read_to_end().ends_with("GET /x"));
    CHECK(node.series("chatx_connection_refused_total{limit=\"pending_connections\"}") == 0);
    first.close();
    second.close();
    CHECK(deserted(node));
    CHECK(node.admission().pending_count() == 0);
}

TEST_CASE("clients that never speak keep others out for no longer than they may stay") {
    GatewayOptions gateway;
    gateway.head_deadline = std::chrono::milliseconds(100);
    NetNode node(
        {.gateway = gateway,
         .rooms = {},
         .admission = {.pending_max = 2},
         .adapters = {},
         .checks = {}});
    SocketClient first(node.port());
    SocketClient second(node.port());
    CHECK(eventually([&] { return node.admission().pending_count() == 2; }));
    SocketClient third(node.port());
    REQUIRE(third.say(request));
    CHECK(third.read_to_end().ends_with("GET /x"));
    CHECK(first.read_to_end().empty());
}

TEST_CASE("beyond the rate clients wait, and all of them get in") {
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .listener = {engine::TokenRate({.tokens_per_sec = 100, .burst = 2})},
         .adapters = {},
         .checks = {}});
    std::deque<SocketClient> clients;
    for (int i = 0; i < 20; ++i)
        clients.emplace_back(node.port());
    for (SocketClient& client : clients) {
        REQUIRE(client.say(request));
        CHECK(client.read_to_end().ends_with("GET /x"));
    }
    CHECK(node.series("chatx_accept_paused_total{limit=\"accepts_per_sec\"}") > 0);
}

TEST_CASE("three thousand clients that come at once all get in, and none is refused") {
    const Descriptors descriptors(6500);
    NetNode node(
        {.shards = 2,
         .gateway = {},
         .rooms = {},
         .admission = {.connections_per_user_max = 3000},
         .adapters = {},
         .checks = {}});
    std::deque<SocketClient> clients;
    for (std::size_t i = 0; i < 3000; ++i)
        clients.emplace_back(node.port());
    for (SocketClient& client : clients)
        REQUIRE(client.say(SocketClient::upgrade_request("ann")));
    for (SocketClient& client : clients)
        client.read_until("\r\n\r\n");
    CHECK(node.connection_count() == clients.size());
    for (const std::string_view limit : connection_limits) {
        CHECK(
            node.series("chatx_connection_refused_total{limit=\"" + std::string(limit) + "\"}")
            == 0);
    }
}

TEST_CASE("without descriptors new clients wait, and are served when there are some again") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient before(node.port());
    REQUIRE(before.say("GET /before HTTP/1.1\r\nHost: a\r\n\r\n"));
    before.read_until("GET /before");
    SocketClient client(0);
    {
        const NoDescriptors none;
        client.connect(node.port());
        REQUIRE(client.say(request));
        REQUIRE(before.say("GET /meanwhile HTTP/1.1\r\nHost: a\r\n\r\n"));
        before.read_until("GET /meanwhile");
    }
    CHECK(client.read_to_end().ends_with("GET /x"));
}

TEST_CASE("a port that is taken is told in words, with whose it is") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    std::vector<std::unique_ptr<Shard>> none;
    AdapterPools adapters({}, {});
    Admission admission({});
    Metrics metrics({.shards = 1, .version = "test", .started_at = {}});
    none.push_back(std::make_unique<Shard>(
        Shard::Options{.place = {}, .rooms = {}, .chain = {}, .gateway = {}},
        Shard::Wiring{
            .shards = none,
            .adapters = adapters,
            .admission = admission,
            .checks = {},
            .metrics = metrics.shard(0),
            .log = node.log(),
            .page = {}}));
    Listener second(node.listener().endpoint(), none, admission, metrics.shard(0));
    const auto problem = second.open();
    REQUIRE(problem);
    CHECK(problem->starts_with("cannot listen on 127.0.0.1 port " + std::to_string(node.port())));
    CHECK(problem->find("(process " + std::to_string(::getpid()) + ")") != problem->npos);
    CHECK(problem->find("--listen") != problem->npos);
}

}  // namespace chatx::node::test
