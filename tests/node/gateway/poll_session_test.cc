#include "node/gateway/poll_session.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;
using Frames = std::vector<std::string>;

constexpr TimePoint start = TimePoint(1h);
constexpr std::string_view ndjson = "application/x-ndjson";

/// A shard that answers nothing: heartbeats need no more.
struct Port final : SessionPort {
    void request(RoomCommand command) override { requests.push_back(std::move(command)); }

    void authorize(Authorize /*question*/) override {}

    Edge& edge() override { return own_edge; }

    [[nodiscard]] TimePoint now() const override { return start; }

    [[nodiscard]] bool draining() const override { return false; }

    void count(const engine::Event& /*event*/) override {}

    void count(FrameLimit /*limit*/) override {}

    Edge own_edge{engine::EdgeId{7}};
    std::vector<RoomCommand> requests;
};

struct Bench {
    explicit Bench(PollTransport::Limits limits = {})
        : options{.window = 10s, .transport = limits} {}

    Port port;
    SessionOptions session_options{.rates = {}, .node = "n1"};
    PollSession::Options options;
    proto::json::Parser parser;
    int changes = 0;
    PollSession session{
        options,
        session_options,
        port,
        {.user = UserId::parse("ann").value(), .version = proto::phoenix::Version::v2},
        [this] { ++changes; }};

    /// Says heartbeats with these refs.
    void beat(const std::vector<int>& refs) {
        std::string body;
        for (const int ref : refs)
            body += R"([null,")" + std::to_string(ref)
                    + R"(","phoenix","heartbeat",{}])"
                      "\n";
        CHECK(session.post(ndjson, body, parser));
    }
};

constexpr PollTicket ticket(std::uint64_t number) {
    return {.shard = 3, .number = number};
}

std::string beaten(int ref) {
    return R"([null,")" + std::to_string(ref)
           + R"(","phoenix","phx_reply",{"response":{},"status":"ok"}])";
}

}  // namespace

TEST_CASE("a poll gets what waits, in order, or waits for it") {
    Bench bench;
    bench.beat({1, 2});
    CHECK(bench.changes == 1);
    CHECK_FALSE(bench.session.next(start));
    CHECK_FALSE(bench.session.get(ticket(1), start));
    const auto first = bench.session.next(start);
    REQUIRE(first);
    CHECK(first->to == ticket(1));
    CHECK(first->answer.status == PollStatus::ok);
    CHECK(first->answer.frames == Frames{beaten(1), beaten(2)});
    bench.session.settled({});
    CHECK_FALSE(bench.session.get(ticket(2), start));
    CHECK_FALSE(bench.session.next(start));
    bench.beat({3});
    const auto second = bench.session.next(start);
    REQUIRE(second);
    CHECK(second->to == ticket(2));
    CHECK(second->answer.frames == Frames{beaten(3)});
}

TEST_CASE("a poll that waits for a window in vain hears 204") {
    Bench bench;
    CHECK_FALSE(bench.session.get(ticket(1), start));
    CHECK_FALSE(bench.session.tick(start + 9s));
    const auto reply = bench.session.tick(start + 10s);
    REQUIRE(reply);
    CHECK(reply->to == ticket(1));
    CHECK(reply->answer.status == PollStatus::nothing);
    CHECK_FALSE(bench.session.tick(start + 20s));
}

TEST_CASE("a second poll takes the place of the first, which hears 204 and no frame") {
    Bench bench;
    CHECK_FALSE(bench.session.get(ticket(1), start));
    const auto superseded = bench.session.get(ticket(2), start);
    REQUIRE(superseded);
    CHECK(superseded->to == ticket(1));
    CHECK(superseded->answer.status == PollStatus::nothing);
    CHECK(superseded->answer.frames.empty());
    bench.session.abandon(ticket(1), start);
    bench.beat({1});
    const auto reply = bench.session.next(start);
    REQUIRE(reply);
    CHECK(reply->to == ticket(2));
}

TEST_CASE("while a batch is on its way polls wait; what comes back stays in front") {
    Bench bench;
    bench.beat({1});
    CHECK_FALSE(bench.session.get(ticket(1), start));
    auto lost = bench.session.next(start);
    REQUIRE(lost);
    bench.beat({2});
    CHECK_FALSE(bench.session.get(ticket(2), start));
    CHECK_FALSE(bench.session.next(start));
    const int changes = bench.changes;
    bench.session.settled(std::move(lost->answer.frames));
    CHECK(bench.changes > changes);
    const auto reply = bench.session.next(start);
    REQUIRE(reply);
    CHECK(reply->to == ticket(2));
    CHECK(reply->answer.frames == Frames{beaten(1), beaten(2)});
}

TEST_CASE("a session expires one and a half windows behind the last poll, not before") {
    Bench bench;
    CHECK_FALSE(bench.session.expired(start + 15s));
    CHECK(bench.session.expired(start + 15s + 1ms));
    CHECK_FALSE(bench.session.get(ticket(1), start + 14s));
    CHECK_FALSE(bench.session.expired(start + 60s));
    REQUIRE(bench.session.tick(start + 24s));
    CHECK_FALSE(bench.session.expired(start + 39s));
    CHECK(bench.session.expired(start + 40s));
    CHECK_FALSE(bench.session.get(ticket(2), start + 39s));
    bench.session.abandon(ticket(2), start + 39s);
    CHECK_FALSE(bench.session.expired(start + 54s));
    CHECK(bench.session.expired(start + 55s));
}

TEST_CASE("what a client says does not keep its session alive") {
    Bench bench;
    bench.beat({1});
    CHECK(bench.session.expired(start + 16s));
}

TEST_CASE("a malformed frame ends the session; what stands behind it is not taken") {
    for (const std::string_view bad :
         {R"(["not a frame"])", R"([nonsense])", "AAAA", "not base64!"}) {
        Bench bench;
        const std::string body =
            std::string(bad) + "\n" + R"(["1","1","room:a","phx_join",{}])" + "\n";
        CHECK_FALSE(bench.session.post(ndjson, body, bench.parser));
        CHECK(bench.session.over());
        CHECK_FALSE(bench.session.too_slow());
        CHECK(bench.changes == 1);
        CHECK(bench.port.requests.empty());
    }
}

TEST_CASE("a poll that waits hears 410 when the session ends") {
    Bench bench;
    CHECK_FALSE(bench.session.last());
    CHECK_FALSE(bench.session.get(ticket(1), start));
    const auto reply = bench.session.last();
    REQUIRE(reply);
    CHECK(reply->to == ticket(1));
    CHECK(reply->answer.status == PollStatus::gone);
    CHECK(reply->answer.known);
}

TEST_CASE("more frames than may wait end the session as too slow") {
    Bench bench({.bytes_max = 1000, .frames_max = 2});
    bench.beat({1, 2});
    CHECK_FALSE(bench.session.over());
    bench.beat({3});
    CHECK(bench.session.over());
    CHECK(bench.session.too_slow());
}

TEST_CASE("a body of any other type is one frame, in either version") {
    Bench bench;
    CHECK(bench.session.post("text/plain", R"([null,"1","phoenix","heartbeat",{}])", bench.parser));
    CHECK_FALSE(bench.session.get(ticket(1), start));
    const auto reply = bench.session.next(start);
    REQUIRE(reply);
    CHECK(reply->answer.frames == Frames{beaten(1)});
}

}  // namespace chatx::node
