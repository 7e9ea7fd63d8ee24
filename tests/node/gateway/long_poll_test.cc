#include "node/gateway/long_poll.h"

#include "tests/node/net/net_node.h"
#include "tests/support/rates.h"
#include "tests/support/socket_client.h"

#include <boost/asio/ip/address.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chatx::node::test {

namespace {

using namespace std::chrono_literals;
using chatx::test::no_limits;
using chatx::test::SocketClient;

constexpr std::string_view join = R"(["1","1","room:a","phx_join",{}])";
constexpr std::string_view message = R"(["1","2","room:a","new_message",{"content":"hi"}])";
constexpr std::string_view ok = R"({"status":200})";
constexpr std::string_view gone = R"({"status":410})";
constexpr std::string_view lines = "Content-Type: application/x-ndjson\r\n";

std::string heartbeat(int ref) {
    return R"([null,")" + std::to_string(ref) + R"(","phoenix","heartbeat",{}])";
}

std::string of_token(std::string_view token) {
    return "token=" + std::string(token);
}

/// A connection for requests to the long-poll transport, on the shard that it falls to.
class PollConnection {
public:
    explicit PollConnection(NetNode& node) : client(node.port()) {}

    void say_get(std::string_view query, std::string_view headers = {}) {
        REQUIRE(client.say(head("GET", query, headers) + "\r\n"));
    }

    void say_post(std::string_view query, std::string_view body, std::string_view headers = lines) {
        REQUIRE(client.say(post(query, body, headers)));
    }

    /// The body of an answer that must be 200.
    std::string hear() {
        answer_head = client.read_until("\r\n\r\n");
        const std::size_t at = answer_head.find("Content-Length: ");
        REQUIRE(at != answer_head.npos);
        const std::string body = client.read(std::stoul(answer_head.substr(at + 16)));
        CHECK(answer_head.starts_with("HTTP/1.1 200 "));
        return body;
    }

    std::string get(std::string_view query, std::string_view headers = {}) {
        say_get(query, headers);
        return hear();
    }

    std::string say(std::string_view token, std::string_view body) {
        say_post(of_token(token), body);
        return hear();
    }

    /// Opens a session and returns its token.
    std::string open(std::string_view user, std::string_view query = {}) {
        const std::string answer =
            get("user_id=" + std::string(user) + "&vsn=2.0.0&" + std::string(query));
        REQUIRE(answer.starts_with(R"({"messages":[],"status":410,"token":")"));
        return token_in(answer);
    }

    /// Polls until the text was said, and returns all that was.
    std::string poll_until(std::string_view token, std::string_view text) {
        std::string said;
        while (said.find(text) == said.npos) {
            const std::string answer = get(of_token(token));
            REQUIRE(answer.find(R"("status":200)") != answer.npos);
            said += answer;
        }
        return said;
    }

    static std::string head(
        std::string_view method, std::string_view query, std::string_view headers) {
        return std::string(method) + " /socket/longpoll?" + std::string(query)
               + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers);
    }

    static std::string post(
        std::string_view query, std::string_view body, std::string_view headers = lines) {
        return head("POST", query, headers) + "Content-Length: " + std::to_string(body.size())
               + "\r\n\r\n" + std::string(body);
    }

    static std::string token_in(std::string_view answer) {
        const std::size_t at = answer.find(R"("token":")");
        REQUIRE(at != answer.npos);
        return std::string(answer.substr(at + 9, poll_token_size));
    }

    SocketClient client;
    std::string answer_head;
};

NetNode::Options two_shards() {
    return {
        .shards = 2,
        .gateway =
            {.session = {.rates = no_limits(), .node = {}}, .outbox = {}, .allowed_origins = {}},
        .rooms = {},
        .adapters = {},
        .checks = {}};
}

std::size_t shard_in(std::string_view token) {
    return PollToken::parse(token).value().shard;
}

/// Lets so much time pass for the sessions of a shard.
void pass_time(NetNode& node, std::size_t shard, Duration time) {
    (void)node.on(shard, [time](Shard& self) {
        self.gateway().polls().tick(monotonic_now() + time);
        self.turn();
        return true;
    });
}

std::size_t sessions(NetNode& node) {
    return static_cast<std::size_t>(node.series("chatx_long_poll_sessions"));
}

/// Waits until so many requests have reached their sessions and are not answered.
void wait_for_requests(NetNode& node, std::size_t count) {
    CHECK(eventually([&] {
        std::size_t waiting = 0;
        for (std::size_t i = 0; i < 2; ++i) {
            waiting +=
                node.on(i, [](Shard& shard) { return shard.gateway().polls().waiting_count(); });
        }
        return waiting == count;
    }));
    for (std::size_t i = 0; i < 2; ++i)
        (void)node.on(i, [](Shard& shard) { return shard.gateway().draining(); });
}

/// Lets time pass at the session until its client has an answer.
void pass_time_until_heard(
    NetNode& node, std::size_t shard, Duration time, PollConnection& connection) {
    CHECK(eventually([&] {
        pass_time(node, shard, time);
        return connection.client.heard_something();
    }));
}

/// Two shards without sockets and threads: what they relay waits until the test lets it go.
class RelayBench {
public:
    using Call = std::function<void(LongPoll&)>;

    LongPoll& at(std::uint16_t shard) { return *polls_.at(shard); }

    std::string open(std::uint16_t shard) {
        const auto peer = boost::asio::ip::make_address("127.0.0.1");
        return at(shard)
            .open({UserId::parse("ann").value(), proto::phoenix::Version::v2, peer})
            .value();
    }

    /// Everything that is on its way arrives.
    void settle() {
        do {
            for (const auto& polls : polls_)
                polls->flush();
        } while (relay_one());
    }

    /// One relayed call arrives; false when there is none.
    bool relay_one() {
        if (relayed_.empty()) return false;
        auto [shard, call] = std::move(relayed_.front());
        relayed_.pop_front();
        call(at(shard));
        return true;
    }

private:
    struct Port final : SessionPort {
        void request(RoomCommand /*command*/) override {}

        void authorize(Authorize /*question*/) override {}

        Edge& edge() override { return own_edge; }

        [[nodiscard]] TimePoint now() const override { return TimePoint(1h); }

        [[nodiscard]] bool draining() const override { return false; }

        void count(const engine::Event& /*event*/) override {}

        void count(FrameLimit /*limit*/) override {}

        Edge own_edge{engine::EdgeId{0}};
    };

    std::unique_ptr<LongPoll> make(std::uint16_t shard) {
        return std::make_unique<LongPoll>(
            options_,
            session_,
            LongPoll::Wiring{
                .shard = shard,
                .shards = 2,
                .port = ports_.at(shard),
                .admission = admission_,
                .metrics = metrics_,
                .log = log_,
                .parser = parser_,
                .relay = [this](
                             std::uint16_t to,
                             Call call) { relayed_.emplace_back(to, std::move(call)); },
                .wake = [] {}});
    }

    PollSession::Options options_;
    SessionOptions session_{.rates = no_limits(), .node = {}};
    std::ostringstream lines_;
    Logger log_{{.level = LogLevel::error, .now = monotonic_now, .out = &lines_}};
    ShardMetrics metrics_;
    Admission admission_{{}};
    proto::json::Parser parser_;
    std::array<Port, 2> ports_;
    std::deque<std::pair<std::uint16_t, Call>> relayed_;
    std::array<std::unique_ptr<LongPoll>, 2> polls_{make(0), make(1)};
};

/// A connection that notes its answers, or is dead.
struct Asker final : PollAsker {
    bool on_poll_answer(const PollAnswer& answer) override {
        if (dead) return false;
        answers.push_back(answer);
        return true;
    }

    bool dead = false;
    std::vector<PollAnswer> answers;
};

}  // namespace

TEST_CASE("a client opens a session, joins, speaks and hears, whichever shard its requests reach") {
    NetNode node(two_shards());
    PollConnection first(node);
    PollConnection second(node);
    for (const bool in_header : {false, true}) {
        const std::string token = first.open("ann");
        const std::string query = in_header ? std::string("token=wrong") : of_token(token);
        const std::string header =
            in_header ? "X-Phoenix-Longpoll-Token: " + token + "\r\n" : std::string();
        const auto say = [&](PollConnection& connection, std::string_view body) {
            connection.say_post(query, body, std::string(lines) + header);
            return connection.hear();
        };
        CHECK(say(second, join) == ok);
        std::string said;
        while (said.find("presence_state") == said.npos)
            said += first.get(query, header);
        CHECK(said.find(R"(\"status\":\"ok\")") != said.npos);
        if (!in_header) CHECK(PollConnection::token_in(said) == token);
        CHECK(say(first, message) == ok);
        said.clear();
        while (said.find("new_message") == said.npos || said.find("phx_reply") == said.npos)
            said += second.get(query, header);
        CHECK(said.find(R"(\"content\":\"hi\")") != said.npos);
    }
    CHECK(sessions(node) == 2);
}

TEST_CASE("a poll waits until something is said, and hears it at once") {
    NetNode node(two_shards());
    PollConnection first(node);
    PollConnection second(node);
    for (PollConnection* waiting : {&first, &second}) {
        PollConnection& speaking = waiting == &first ? second : first;
        const std::string token = first.open("ann");
        waiting->say_get(of_token(token));
        wait_for_requests(node, 1);
        CHECK(speaking.say(token, heartbeat(7)) == ok);
        const std::string answer = waiting->hear();
        CHECK(answer.starts_with(R"({"messages":["[null,\"7\",\"phoenix\",\"phx_reply\")"));
        CHECK(answer.ends_with(R"(],"status":200,"token":")" + token + "\"}"));
    }
    CHECK(node.series("chatx_long_poll_answer_total{status=\"200\"}") == 4);
}

TEST_CASE("a poll that hears nothing for a window is answered with 204") {
    NetNode node(two_shards());
    PollConnection first(node);
    PollConnection second(node);
    const std::string token = first.open("ann");
    for (PollConnection* connection : {&first, &second}) {
        connection->say_get(of_token(token));
        pass_time_until_heard(node, shard_in(token), 11s, *connection);
        CHECK(connection->hear() == R"({"messages":[],"status":204,"token":")" + token + "\"}");
    }
}

TEST_CASE("an unknown token is a new session for a poll, and gone for a post") {
    NetNode node(two_shards());
    PollConnection connection(node);
    const std::string forged = PollToken{0, 1, draw_secret()}.to_text();
    std::vector<std::string> unknown{
        "bad",
        forged,
        PollToken{1, 1, draw_secret()}.to_text(),
        PollToken{9, 1, draw_secret()}.to_text()};
    for (const std::string& token : unknown) {
        CHECK(connection.say(token, join) == gone);
        CHECK(connection.open("ann", of_token(token)) != token);
    }
    CHECK(sessions(node) == 4);
    connection.say_post("", join);
    CHECK(connection.hear() == gone);
}

TEST_CASE("of the lines of a post a hundred are taken") {
    NetNode node(two_shards());
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    std::string body;
    for (int i = 1; i <= 101; ++i)
        body += heartbeat(i) + "\r\n";
    CHECK(connection.say(token, body) == ok);
    const std::string answer = connection.get(of_token(token));
    CHECK(answer.find(R"([null,\"100\",)") != answer.npos);
    CHECK(answer.find(R"([null,\"101\",)") == answer.npos);
}

TEST_CASE("a session that nobody polls ends, and its presence with it") {
    NetNode node(two_shards());
    SocketClient watcher(node.port());
    watcher.upgrade("bob");
    REQUIRE(watcher.say(SocketClient::frame(join)));
    watcher.hear_until("presence_state");
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    CHECK(connection.say(token, join) == ok);
    CHECK(watcher.hear_until("presence_diff").find(R"("joins":{"ann")") != std::string::npos);
    pass_time(node, shard_in(token), 16s);
    CHECK(watcher.hear_until("presence_diff").find(R"("leaves":{"ann")") != std::string::npos);
    CHECK(connection.say(token, join) == gone);
    CHECK(sessions(node) == 0);
}

TEST_CASE("a second poll takes the place of the first, which is answered with 204") {
    NetNode node(two_shards());
    PollConnection first(node);
    PollConnection second(node);
    PollConnection third(node);
    const std::string token = first.open("ann");
    first.say_get(of_token(token));
    wait_for_requests(node, 1);
    second.say_get(of_token(token));
    CHECK(first.hear() == R"({"messages":[],"status":204,"token":")" + token + "\"}");
    CHECK(third.say(token, heartbeat(1)) == ok);
    CHECK(second.hear().find(R"([null,\"1\")") != std::string::npos);
}

TEST_CASE("a malformed frame ends the session: 408, then 410, and touches no other") {
    NetNode node(two_shards());
    PollConnection connection(node);
    const std::string other = connection.open("bob");
    for (const std::string_view bad : {R"(["1"])", "[nonsense", "%%%", "AAAA"}) {
        const std::string token = connection.open("ann");
        CHECK(connection.say(token, join) == ok);
        CHECK(connection.say(token, bad) == R"({"status":408})");
        CHECK(connection.say(token, join) == gone);
    }
    CHECK(connection.say(other, heartbeat(1)) == ok);
    CHECK(sessions(node) == 1);
}

TEST_CASE("a poll that waits is told when the session ends") {
    NetNode node(two_shards());
    PollConnection waiting(node);
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    waiting.say_get(of_token(token));
    wait_for_requests(node, 1);
    CHECK(connection.say(token, R"(["1"])") == R"({"status":408})");
    CHECK(waiting.hear().find(R"("status":410)") != std::string::npos);
}

TEST_CASE("what no session could take is refused before it is read") {
    NetNode node(two_shards());
    const std::size_t limit = GatewayOptions().message_size_max;
    for (const auto& [request, status] : std::vector<std::pair<std::string, std::string>>{
             {PollConnection::head("POST", "token=t", {}) + "\r\n", "411"},
             {PollConnection::head(
                  "POST", "token=t", "Content-Length: " + std::to_string(limit + 1) + "\r\n")
                  + "\r\n",
              "413"},
             {PollConnection::head("PUT", "token=t", "Content-Length: 1\r\n") + "\r\n", "400"},
             {PollConnection::head("HEAD", "", {}) + "\r\n", "400"}}) {
        SocketClient client(node.port());
        REQUIRE(client.say(request));
        const std::string answer = client.read_to_end();
        CHECK(answer.starts_with("HTTP/1.1 " + status + " "));
        CHECK(answer.find("\r\nAccess-Control-Allow-Origin: *\r\n") != answer.npos);
    }
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    CHECK(connection.say(token, std::string(limit, '\n')) == ok);
}

TEST_CASE("a body may come in any pieces, and behind a question whether it may come at all") {
    NetNode node(two_shards());
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    const std::string bytes = PollConnection::post(of_token(token), heartbeat(1))
                              + PollConnection::post(of_token(token), heartbeat(2));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            REQUIRE(connection.client.say(bytes.substr(at, piece)));
        CHECK(connection.hear() == ok);
        CHECK(connection.hear() == ok);
    }
    const std::string body = heartbeat(3);
    REQUIRE(connection.client.say(
        PollConnection::head("POST", of_token(token), lines) + "Expect: 100-continue\r\n"
        + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n"));
    CHECK(connection.client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    REQUIRE(connection.client.say(body));
    CHECK(connection.hear() == ok);
}

TEST_CASE("a body that does not come in time ends its connection, whatever trickles in") {
    NetNode::Options options = two_shards();
    options.gateway.head_deadline = 500ms;
    NetNode node(std::move(options));
    SocketClient trickling(node.port());
    REQUIRE(trickling.say(
        PollConnection::head("POST", "token=t", "Content-Length: 200000\r\n") + "\r\n"));
    SocketClient good(node.port());
    good.upgrade("ann");
    CHECK(eventually([&] {
        REQUIRE(good.say(SocketClient::frame(heartbeat(1))));
        good.hear_until("phx_reply");
        return !trickling.push("x");
    }));
}

TEST_CASE("requests behind one that waits are answered in their order") {
    NetNode node(two_shards());
    PollConnection connection(node);
    PollConnection other(node);
    const std::string token = connection.open("ann");
    REQUIRE(connection.client.say(
        PollConnection::head("GET", of_token(token), {}) + "\r\n"
        + PollConnection::post(of_token(token), heartbeat(2))
        + "GET /page HTTP/1.1\r\nHost: a\r\n\r\n" + PollConnection::head("GET", of_token(token), {})
        + "\r\n"));
    CHECK(other.say(token, heartbeat(1)) == ok);
    CHECK(connection.hear().find(R"([null,\"1\")") != std::string::npos);
    CHECK(connection.hear() == ok);
    CHECK(connection.hear() == "GET /page");
    CHECK(connection.hear().find(R"([null,\"2\")") != std::string::npos);
}

TEST_CASE("who sends too much behind a poll that waits is cut off") {
    NetNode node(two_shards());
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    connection.say_get(of_token(token));
    const std::string flood(std::size_t{200} * 1024, 'x');
    (void)connection.client.say(flood);
    CHECK(connection.client.read_to_end().empty());
}

TEST_CASE("frames for a client that gives up waiting are kept for its next poll") {
    NetNode node(two_shards());
    PollConnection speaking(node);
    for (int i = 0; i < 4; ++i) {
        PollConnection waiting(node);
        const std::string token = speaking.open("ann");
        waiting.say_get(of_token(token));
        wait_for_requests(node, 1);
        const std::size_t open = node.connection_count();
        if (i < 2) {
            waiting.client.close();
        } else {
            waiting.client.reset();
        }
        CHECK(eventually([&] { return node.connection_count() < open; }));
        CHECK(speaking.say(token, heartbeat(i)) == ok);
        CHECK(speaking.get(of_token(token)).find("phx_reply") != std::string::npos);
    }
}

TEST_CASE("frames that meet a dead connection go back, in front of what was said meanwhile") {
    for (const std::uint16_t shard : {std::uint16_t{0}, std::uint16_t{1}}) {
        for (const bool abandons : {false, true}) {
            RelayBench bench;
            const std::string token = bench.open(0);
            Asker speaking;
            Asker lost;
            Asker next;
            const auto say = [&](int ref) {
                (void)bench.at(0).post(token, "application/x-ndjson", heartbeat(ref), speaking);
            };
            const std::uint64_t number = bench.at(shard).get(token, lost);
            bench.settle();
            say(1);
            if (abandons) {
                bench.at(0).flush();  // The answer is on its way, or there, when the asker goes.
                bench.at(shard).abandon(number);
            } else {
                lost.dead = true;
                bench.at(0).flush();
            }
            say(2);
            (void)bench.at(1).get(token, next);
            bench.settle();
            if (lost.answers.empty()) {
                REQUIRE(next.answers.size() == 1);
                CHECK(next.answers[0].frames.size() == 2);
                CHECK(next.answers[0].frames.at(0).find(R"("1")") != std::string::npos);
            } else {
                CHECK(shard == 0);  // It was there.
            }
        }
    }
}

TEST_CASE("polls of a session that is gone, or whose secret is wrong, are told so") {
    RelayBench bench;
    Asker asker;
    PollToken forged = PollToken::parse(bench.open(0)).value();
    forged.secret.at(0) ^= 1;
    for (const std::uint16_t shard : {std::uint16_t{0}, std::uint16_t{1}}) {
        (void)bench.at(shard).get(forged.to_text(), asker);
        bench.settle();
        REQUIRE(asker.answers.size() == 1);
        CHECK(asker.answers[0].status == PollStatus::gone);
        CHECK_FALSE(asker.answers[0].known);
        asker.answers.clear();
    }
}

TEST_CASE("a client that says no more still hears whether what it said was taken") {
    NetNode node(two_shards());
    PollConnection opening(node);
    const std::string token = opening.open("ann");
    for (int i = 0; i < 2; ++i) {
        PollConnection connection(node);
        connection.say_post(of_token(token), heartbeat(1));
        connection.client.shutdown_send();
        CHECK(connection.hear() == ok);
        CHECK(connection.client.read_to_end().empty());
    }
}

TEST_CASE("a client that does not come for its frames is cut off") {
    NetNode::Options options = two_shards();
    options.gateway.poll.transport.frames_max = 2;
    NetNode node(std::move(options));
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    CHECK(connection.say(token, heartbeat(1) + "\n" + heartbeat(2) + "\n" + heartbeat(3)) == ok);
    CHECK(connection.say(token, heartbeat(4)) == gone);
    CHECK(node.series("chatx_slow_consumer_cut_total") == 1);
}

TEST_CASE("an answer may be larger than the bound, which counts frames without their escapes") {
    NetNode::Options options = two_shards();
    options.shards = 1;
    options.gateway.outbox.bytes_max = 20'000;
    NetNode node(std::move(options));
    PollConnection connection(node);
    SocketClient watcher(node.port());
    const std::string token = connection.open("ann");
    CHECK(connection.say(token, join) == ok);
    watcher.upgrade("bob");
    REQUIRE(watcher.say(SocketClient::frame(join)));
    watcher.hear_until("presence_state");
    (void)connection.poll_until(token, R"(\"bob\")");
    std::string content;
    for (int i = 0; i < 2000; ++i)
        content += R"(\")";
    for (int i = 0; i < 4; ++i) {
        REQUIRE(watcher.say(SocketClient::frame(
            R"(["1","2","room:a","new_message",{"content":")" + content + R"("}])")));
        watcher.hear_until(R"("room:a","new_message")");
    }
    CHECK(connection.get(of_token(token)).size() > 20'000);
    CHECK(connection.say(token, heartbeat(1)) == ok);
    CHECK(node.series("chatx_slow_consumer_cut_total") == 0);
}

TEST_CASE("the first version of the protocol is spoken without a vsn") {
    NetNode node(two_shards());
    PollConnection connection(node);
    const std::string token = PollConnection::token_in(connection.get("user_id=ann"));
    connection.say_post(
        of_token(token),
        R"({"topic":"room:a","event":"phx_join","payload":{},"ref":"1"})",
        "Content-Type: application/json\r\n");
    CHECK(connection.hear() == ok);
    const std::string said = connection.poll_until(token, "presence_state");
    CHECK(said.find(R"(\"event\":\"phx_reply\")") != said.npos);
}

TEST_CASE("who is not let in hears 403 in the body, and the log says why, without secrets") {
    NetNode::Options options = two_shards();
    options.shards = 1;
    options.log = LogLevel::info;
    options.admission.connections_per_user_max = 1;
    NetNode node(std::move(options));
    PollConnection connection(node);
    const std::string token = connection.open("ann");
    for (const auto& [query, headers, why] : std::vector<std::array<std::string_view, 3>>{
             {"vsn=3.0.0&token=secret1", "X-Phoenix-AuthToken: secret2\r\n", "why=vsn"},
             {"vsn[]=2.0.0", "Cookie: secret3\r\n", "why=vsn"},
             {"user_id=__proto__", "", "why=user"},
             {"user_id=ann", "", "why=too_many_connections"},
             {"user_id=bob",
              "Origin: https://evil.com\r\n",
              "why=origin origin=https://evil.com"}}) {
        const std::string before = node.log_lines();
        PollConnection refused(node);
        CHECK(refused.get(query, headers) == R"({"status":403})");
        const std::string line = node.log_lines().substr(before.size());
        INFO(line);
        CHECK(line.find("long-poll refused peer=127.0.0.1 " + std::string(why)) != line.npos);
    }
    CHECK(node.log_lines().find("secret") == std::string::npos);
    CHECK(node.series("chatx_handshake_refused_total{reason=\"vsn\"}") == 2);
    CHECK(node.series("chatx_long_poll_answer_total{status=\"403\"}") == 5);
    pass_time(node, 0, 16s);
    (void)connection.open("ann");
}

TEST_CASE("sessions end with their node's drain, in batches, and their clients come again") {
    NetNode::Options options = two_shards();
    options.shards = 1;
    NetNode node(std::move(options));
    std::deque<PollConnection> connections;
    std::vector<std::string> tokens;
    for (int i = 0; i < 3; ++i) {
        tokens.push_back(connections.emplace_back(node).open("ann"));
    }
    PollConnection late(node);
    late.say_get(of_token("bad"));
    (void)late.hear();
    CHECK(sessions(node) == 4);
    for (std::size_t i = 0; i < 3; ++i)
        connections[i].say_get(of_token(tokens[i]));
    CHECK(eventually([&] {
        return node.on(0, [](Shard& shard) { return shard.gateway().polls().waiting_count(); })
               == 3;
    }));
    const auto drain = [&] {
        return node.on(0, [](Shard& shard) { return shard.gateway().drain(2); });
    };
    CHECK(drain() == 5);
    CHECK(sessions(node) == 2);
    while (drain() > 0) {
    }
    for (PollConnection& connection : connections) {
        CHECK(connection.hear().find(R"("status":410)") != std::string::npos);
        CHECK(connection.answer_head.find("Connection: close") != std::string::npos);
        CHECK(connection.client.read_to_end().empty());
        connection.client.close();
    }
    CHECK(deserted(node));
    CHECK(sessions(node) == 0);
    PollConnection refused(node);
    CHECK(refused.get("vsn=2.0.0") == R"({"status":403})");
}

TEST_CASE("a node stops with polls and posts on their way between its shards") {
    for (int round = 0; round < 20; ++round) {
        NetNode node(two_shards());
        std::deque<PollConnection> connections;
        for (int i = 0; i < 4; ++i)
            connections.emplace_back(node);
        const std::string token = connections[0].open("ann");
        CHECK(connections[1].say(token, join) == ok);
        for (PollConnection& connection : connections)
            connection.say_get(of_token(token));
        connections[0].client.close();
        if (round % 2 == 0) connections[1].client.reset();
    }
}

}  // namespace chatx::node::test
