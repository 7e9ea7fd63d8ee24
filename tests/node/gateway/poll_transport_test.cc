#include "node/gateway/poll_transport.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace chatx::node {

namespace {

using Frames = std::vector<std::string>;

struct Bench {
    PollTransport::Limits limits;
    int changes = 0;
    PollTransport transport{limits, [this] { ++changes; }};
};

}  // namespace

TEST_CASE("frames are kept in order until they are taken, and the first of them is told") {
    Bench bench;
    bench.transport.send_text("a");
    bench.transport.send(Framed::text("b"));
    CHECK(bench.changes == 1);
    CHECK(bench.transport.bytes() == 2);
    CHECK(bench.transport.take() == Frames{"a", "b"});
    CHECK(bench.transport.empty());
    CHECK(bench.transport.bytes() == 0);
    bench.transport.send_text("c");
    CHECK(bench.changes == 2);
    CHECK(bench.transport.take() == Frames{"c"});
}

TEST_CASE("what cannot be said inside JSON is left out") {
    Bench bench;
    CHECK_FALSE(bench.transport.takes_binary());
    bench.transport.send_binary("\xff");
    bench.transport.send(Framed::binary("\xff"));
    CHECK(bench.transport.empty());
    CHECK(bench.changes == 0);
}

TEST_CASE("frames that come back are the first again") {
    Bench bench;
    bench.transport.send_text("a");
    bench.transport.send_text("b");
    Frames taken = bench.transport.take();
    bench.transport.send_text("c");
    bench.transport.put_back(std::move(taken));
    CHECK(bench.transport.bytes() == 3);
    CHECK(bench.transport.take() == Frames{"a", "b", "c"});
}

TEST_CASE("beyond its bytes a transport is full for good, and takes nothing more") {
    Bench bench{.limits = {.bytes_max = 10, .frames_max = 100}};
    bench.transport.send_text("0123456789");
    CHECK_FALSE(bench.transport.full());
    bench.transport.send_text("x");
    CHECK(bench.transport.full());
    CHECK(bench.changes == 2);
    bench.transport.send_text("y");
    CHECK(bench.transport.take().size() == 2);
    CHECK(bench.transport.full());
}

TEST_CASE("beyond its number of frames too, also by those that come back") {
    Bench bench{.limits = {.bytes_max = 1000, .frames_max = 2}};
    bench.transport.send_text("a");
    bench.transport.send_text("b");
    CHECK_FALSE(bench.transport.full());
    Frames taken = bench.transport.take();
    bench.transport.send_text("c");
    bench.transport.put_back(std::move(taken));
    CHECK(bench.transport.full());
}

TEST_CASE("a close is told, and is no frame") {
    Bench bench;
    bench.transport.close(proto::websocket::CloseCode::going_away, "bye");
    CHECK(bench.changes == 1);
    CHECK(bench.transport.empty());
}

}  // namespace chatx::node
