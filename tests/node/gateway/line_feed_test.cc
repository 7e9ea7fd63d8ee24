#include "node/gateway/line_feed.h"

#include "tests/node/gateway/loop_support.h"

#include <doctest/doctest.h>

#include <string>

namespace chatx::node {
namespace {

using test::Begun;

TEST_CASE("lines are taken in order, all that wait at once") {
    boost::asio::io_context io;
    LineFeed feed(io, [] {});
    feed.push("a");
    feed.push("b");
    const Begun<std::string> first(io, feed.take());
    io.restart();
    io.poll();
    CHECK(first.value() == "a\nb\n");
}

TEST_CASE("whoever takes waits for a line") {
    boost::asio::io_context io;
    LineFeed feed(io, [] {});
    const Begun<std::string> first(io, feed.take());
    io.restart();
    io.poll();
    CHECK_FALSE(first.ended());
    feed.push("late");
    io.restart();
    io.poll();
    CHECK(first.value() == "late\n");
}

TEST_CASE("a reader that is too slow is told how many lines are missing, where they are missing") {
    boost::asio::io_context io;
    LineFeed feed(io, [] {});
    const std::string large(LineFeed::bytes_max - 2, 'x');
    feed.push(large);  // With its end, one byte below the bound.
    feed.push("1");
    feed.push("2");
    feed.push("");  // Would fit, and is left out all the same: a gap is one stretch.
    const Begun<std::string> first(io, feed.take());
    io.restart();
    io.poll();
    CHECK(first.value() == large + "\n{\"gap\":3}\n");
    feed.push("after");
    const Begun<std::string> second(io, feed.take());
    io.restart();
    io.poll();
    CHECK(second.value() == "after\n");
}

TEST_CASE("behind the last line comes the end") {
    boost::asio::io_context io;
    LineFeed feed(io, [] {});
    feed.push("last");
    feed.end();
    const Begun<std::string> last(io, feed.take());
    io.restart();
    io.poll();
    CHECK(last.value() == "last\n");
    const Begun<std::string> end(io, feed.take());
    io.restart();
    io.poll();
    CHECK(end.value() == "");
}

TEST_CASE("the owner learns when the reader is gone, once") {
    boost::asio::io_context io;
    int closed = 0;
    {
        const LineFeed feed(io, [&] { ++closed; });
    }
    CHECK(closed == 1);
}

}  // namespace
}  // namespace chatx::node
