#include "node/gateway/questions.h"

#include "tests/node/gateway/loop_support.h"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <vector>

namespace chatx::node {
namespace {

using namespace std::chrono_literals;
using test::Begun;
using Reply = Questions::Reply<int>;
using Answers = std::vector<int>;

TEST_CASE("a question waits until all have answered, in the order in which they do") {
    boost::asio::io_context io;
    Questions questions(io);
    Reply reply;
    const Begun<Answers> asked(
        io,
        questions.ask_all<int>({.count = 2, .wait = 1h}, [&](const Reply& way) { reply = way; }));
    io.poll();
    REQUIRE(reply);
    reply(2);
    io.poll();
    CHECK_FALSE(asked.ended());
    reply(1);
    io.poll();
    CHECK(asked.value() == Answers{2, 1});
}

TEST_CASE("answers may come before the asker waits") {
    boost::asio::io_context io;
    Questions questions(io);
    const Begun<std::optional<int>> asked(
        io, questions.ask<int>(1h, [](const Reply& reply) { reply(7); }));
    io.poll();
    REQUIRE(asked.ended());
    CHECK(*asked.value() == 7);
}

TEST_CASE("when time is up, what has come so far is the answer") {
    boost::asio::io_context io;
    Questions questions(io);
    const Begun<Answers> asked(
        io,
        questions.ask_all<int>({.count = 2, .wait = 1ms}, [](const Reply& reply) { reply(1); }));
    while (!asked.ended())
        io.run_one();
    CHECK(asked.value() == Answers{1});
}

TEST_CASE("an answer that nobody waits for any more is dropped") {
    boost::asio::io_context io;
    Questions questions(io);
    Reply reply;
    const Begun<std::optional<int>> asked(
        io, questions.ask<int>(1ms, [&](const Reply& way) { reply = way; }));
    while (!asked.ended())
        io.run_one();
    CHECK_FALSE(asked.value()->has_value());
    reply(1);
    io.restart();
    io.poll();
    CHECK_FALSE(asked.value()->has_value());
}

}  // namespace
}  // namespace chatx::node
