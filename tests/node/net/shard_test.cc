#include "node/net/shard.h"

#include "tests/node/net/net_node.h"
#include "tests/support/rates.h"
#include "tests/support/socket_client.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <latch>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace chatx::node::test {

namespace {

using namespace std::chrono_literals;
using chatx::test::no_limits;
using chatx::test::SocketClient;

constexpr std::string_view join = R"(["1","1","room:a","phx_join",{}])";

std::string message(std::string_view content) {
    return R"(["1","2","room:a","new_message",{"content":")" + std::string(content) + R"("}])";
}

/// Throws, hangs or answers, as the content says.
struct MoodyModeration final : Moderation {
    Verdict check(const Draft& draft) override {
        if (draft.content == "throw") throw std::runtime_error("moody");
        if (draft.content == "throw seven")
            throw 7;  // NOLINT(hicpp-exception-baseclass): anything may come.
        if (draft.content == "hang") hang.wait();
        if (draft.content == "rude") return Verdict::reject({Reason::blocked, {}, {}});
        return Verdict::pass();
    }

    std::latch hang{1};
};

struct HangingAuth final : Auth {
    Result<Done> authorize(
        const UserId& /*user*/, const RoomId& /*room*/, AuthAction /*action*/) override {
        hang.wait();
        return Done{};
    }

    std::latch hang{1};
};

/// A connection that fails at every answer.
struct Clumsy final : Subscriber {
    void on_reply(engine::Replied /*reply*/) override {
        ++replies;
        throw std::runtime_error("dropped it");
    }

    void on_authorized(const Authorized& /*answer*/) override {}

    void on_event(const EdgeEvent& /*event*/) override {}

    void on_room_reset(const RoomId& /*room*/) override {}

    std::atomic<int> replies = 0;
};

struct MoodyAuth final : Auth {
    Result<Done> authorize(const UserId& user, const RoomId& /*room*/, AuthAction action) override {
        if (user.text() == "throws") throw std::runtime_error("moody");
        if (user.text() == "stranger") return Reason::unauthorized;
        if (user.text() == "listener" && action == AuthAction::send) return Reason::read_only;
        return Done{};
    }
};

}  // namespace

TEST_CASE("adapters that throw or hang cost their message and nothing else") {
    MoodyModeration moderation;
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .adapters = {.threads = 2, .queue_max = 10},
         .checks = {.auth = nullptr, .moderation = &moderation, .middlewares = {}}});
    SocketClient client(node.port());
    client.upgrade("ann");
    REQUIRE(client.say(SocketClient::frame(join)));
    client.hear_until("presence_state");
    for (const auto& [content, reason] :
         {std::pair<std::string, std::string>{"throw", "adapter_error"},
          {"throw seven", "adapter_error"},
          {"rude", "blocked"},
          {"hang", "adapter_error"}}) {
        REQUIRE(client.say(SocketClient::frame(message(content))));
        CHECK(client.hear_until("phx_reply").find("\"" + reason + "\"") != std::string::npos);
    }
    REQUIRE(client.say(SocketClient::frame(message("fine"))));
    CHECK(client.hear_until("phx_reply").find(R"("ok")") != std::string::npos);
    moderation.hang.count_down();
}

TEST_CASE("an adapter pool that is full refuses the check") {
    MoodyModeration moderation;
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .adapters = {.threads = 1, .queue_max = 1},
         .checks = {.auth = nullptr, .moderation = &moderation, .middlewares = {}}});
    SocketClient client(node.port());
    client.upgrade("ann");
    REQUIRE(client.say(SocketClient::frame(join)));
    client.hear_until("presence_state");
    for (int i = 0; i < 3; ++i)
        REQUIRE(client.say(SocketClient::frame(message("hang"))));
    for (int i = 0; i < 3; ++i) {
        CHECK(client.hear_until("phx_reply").find(R"("adapter_error")") != std::string::npos);
    }
    moderation.hang.count_down();
}

TEST_CASE("the auth adapter decides over joins and sends, and throwing refuses") {
    MoodyAuth auth;
    NetNode node(
        {.shards = 2,
         .gateway = {},
         .rooms = {},
         .adapters = {},
         .checks = {.auth = &auth, .moderation = nullptr, .middlewares = {}}});
    for (const auto& [user, answer] :
         {std::pair<std::string, std::string>{"stranger", "unauthorized"},
          {"throws", "adapter_error"},
          {"ann", R"("status":"ok")"}}) {
        SocketClient client(node.port());
        client.upgrade(user);
        REQUIRE(client.say(SocketClient::frame(join)));
        CHECK(client.hear().find(answer) != std::string::npos);
    }
    SocketClient listener(node.port());
    listener.upgrade("listener");
    REQUIRE(listener.say(SocketClient::frame(join)));
    listener.hear_until("presence_state");
    REQUIRE(listener.say(SocketClient::frame(message("hi"))));
    CHECK(listener.hear_until(R"("2","room:a")").find("read_only") != std::string::npos);
}

TEST_CASE("an auth adapter that hangs costs a join its second and hardly more") {
    HangingAuth auth;
    NetNode node(
        {.gateway = {},
         .rooms = {},
         .adapters = {.threads = 1, .queue_max = 10},
         .checks = {.auth = &auth, .moderation = nullptr, .middlewares = {}}});
    SocketClient client(node.port());
    client.upgrade("ann");
    for (int i = 0; i < 2; ++i) {
        const TimePoint asked = monotonic_now();
        REQUIRE(client.say(SocketClient::frame(join)));
        CHECK(client.hear_until("phx_reply").find(R"("adapter_error")") != std::string::npos);
        const Duration took = monotonic_now() - asked;
        CHECK(took >= 1s);
        CHECK(took < 1500ms);  // Tells in steps of 50 ms; the rest is for a busy machine.
    }
    CHECK(node.series("chatx_adapter_timeout_total{adapter=\"auth\"}") == 2);
    auth.hang.count_down();
}

TEST_CASE("a tick that fails is told, and the clock of the shard goes on") {
    MoodyModeration moderation;
    RoomHostOptions rooms;
    rooms.room.check_deadline = 50ms;  // The answer is the tick's to give.
    NetNode node(
        {.gateway = {},
         .rooms = rooms,
         .adapters = {.threads = 1, .queue_max = 10},
         .checks = {.auth = nullptr, .moderation = &moderation, .middlewares = {}}});
    Clumsy clumsy;
    const auto connection = node.on(0, [&](Shard& shard) { return shard.edge().add(clumsy); });
    for (int sends = 1; sends <= 2; ++sends) {
        (void)node.on(0, [&](Shard& shard) {
            shard.request(RoomCommand{
                *RoomId::parse("a"),
                engine::Send{
                    .reply_to = {shard.edge().id(), connection, 0},
                    .user = *UserId::parse("ann"),
                    .content = "hang",
                    .client_id = {},
                    .answers = {}}});
            shard.turn();
            return true;
        });
        CHECK(eventually([&] { return clumsy.replies == sends; }));
    }
    CHECK(
        node.log_lines().find(R"(a shard's handler failed error="dropped it")")
        != std::string::npos);
    (void)node.on(0, [&](Shard& shard) {
        shard.edge().remove(connection);
        return true;
    });
    moderation.hang.count_down();
}

TEST_CASE("a shard stops although its timer is due at that very moment") {
    NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    node.stop_listening();
    std::latch busy(1);
    node.shard(0).call([&busy](Shard&) {
        // The loop is busy beyond its next tick; the stop comes meanwhile.
        busy.count_down();
        const auto until = monotonic_now() + 100ms;
        while (monotonic_now() < until)
            std::this_thread::yield();
    });
    busy.wait();
    node.shard(0).stop();
}

TEST_CASE("a shard stops with clients of every kind on it") {
    NetNode node({.shards = 2, .gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
    SocketClient silent(node.port());
    SocketClient joined(node.port());
    joined.upgrade("ann");
    REQUIRE(joined.say(SocketClient::frame(join)));
    joined.hear_until("presence_state");
    node.shard(1).stop();
    CHECK(joined.hear() == "end");
}

TEST_CASE("messages of all shards meet in one room and reach every one in the same order") {
    NetNode node(
        {.shards = 3,
         .gateway =
             {.session = {.rates = no_limits(), .node = {}}, .outbox = {}, .allowed_origins = {}},
         .rooms = {},
         .adapters = {},
         .checks = {}});
    std::deque<SocketClient> clients;
    for (int i = 0; i < 6; ++i) {
        clients.emplace_back(node.port());
        clients.back().upgrade("user" + std::to_string(i));
        REQUIRE(clients.back().say(SocketClient::frame(join)));
        clients.back().hear_until("presence_state");
    }
    constexpr int each = 20;
    for (int i = 0; i < each; ++i) {
        for (SocketClient& client : clients)
            REQUIRE(client.say(SocketClient::frame(message("hi"))));
    }
    for (SocketClient& client : clients) {
        for (std::size_t seq = 1; seq <= each * clients.size(); ++seq) {
            const std::string next = client.hear_until("new_message");
            CHECK(next.find("\"seq\":" + std::to_string(seq) + ",") != next.npos);
        }
    }
}

}  // namespace chatx::node::test
