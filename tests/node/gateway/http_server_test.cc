#include "node/gateway/http_server.h"

#include "node/gateway/questions.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace chatx::node {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Answers `/echo` with what it was told, `/wait` when it is released, `/lines` with lines.
class Handler final : public HttpHandler {
public:
    explicit Handler(asio::io_context& io) : io_(io), questions_(io) {}

    asio::awaitable<HttpAnswer> answer(HttpRequest request, std::string body) override {
        if (request.path == "/wait") {
            const auto released = co_await questions_.ask<std::string>(
                1h, [this](const Questions::Reply<std::string>& way) { release = way; });
            body = released.value_or("late");
        }
        if (request.path == "/lines") {
            auto feed = std::make_unique<LineFeed>(io_, [this] { lines = nullptr; });
            lines = feed.get();
            co_return HttpAnswer(std::move(feed));
        }
        HttpResponse response;
        response.body = request.method + " " + request.path + " " + body + "\n";
        co_return HttpAnswer(std::move(response));
    }

    Questions::Reply<std::string> release;
    LineFeed* lines = nullptr;

private:
    asio::io_context& io_;
    Questions questions_;
};

/// A server and what its clients need of it.
struct Bench {
    explicit Bench(HttpServer::Options options = {}) : handler(io), server(io, handler, options) {}

    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    ~Bench() { stop(); }

    /// Whether the server says that it has stopped.
    bool stop() {
        if (!stopped) server.stop([this] { stopped = true; });
        io.restart();
        while (!stopped && io.run_one_for(5s) > 0) {
        }
        return stopped;
    }

    bool stopped = false;
    asio::io_context io;
    Handler handler;
    HttpServer server;
};

/// The other end of a connection.
class Peer {
public:
    explicit Peer(Bench& bench) : bench_(bench), socket_(bench.io) {
        asio::local::stream_protocol::socket theirs(bench.io);
        asio::local::connect_pair(socket_, theirs);
        socket_.non_blocking(true);
        bench.server.adopt(HttpServer::Socket(std::move(theirs)));
    }

    void say(std::string_view bytes) {
        asio::write(socket_, asio::buffer(bytes.data(), bytes.size()));
    }

    void hang_up() { socket_.close(); }

    /// Runs the server until `text` was heard or it closed; all that was heard.
    std::string hear(std::string_view text) {
        while (heard_.find(text) == std::string::npos && !closed_) {
            bench_.io.restart();
            if (bench_.io.poll() == 0 && !read()) bench_.io.run_one_for(5s);
            read();
        }
        return heard_;
    }

    [[nodiscard]] std::string hear_all() { return hear("\x01 never said \x01"); }

    [[nodiscard]] bool closed() const { return closed_; }

private:
    bool read() {
        std::array<char, 65'536> bytes;
        boost::system::error_code error;
        const std::size_t count = socket_.read_some(asio::buffer(bytes), error);
        heard_.append(bytes.data(), count);
        closed_ = error && error != asio::error::would_block;
        return count > 0 || closed_;
    }

    Bench& bench_;
    asio::local::stream_protocol::socket socket_;
    std::string heard_;
    bool closed_ = false;
};

std::string body_of(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
}

TEST_CASE("requests of a connection are answered in order, however their bytes come") {
    Bench bench;
    Peer peer(bench);
    peer.say(
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: "
        "5\r\n\r\nhe");
    CHECK(body_of(peer.hear("/a")) == "GET /a \n");
    peer.say("lloGET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = peer.hear_all();
    CHECK(all.find("POST /b hello\n") < all.find("GET /c \n"));
    CHECK(all.ends_with("GET /c \n"));
    CHECK(bench.server.connection_count() == 0);
}

TEST_CASE("HEAD is answered without the body") {
    Bench bench;
    Peer peer(bench);
    peer.say("HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string all = peer.hear_all();
    CHECK(all.find("Content-Length: 9\r\n") != std::string::npos);
    CHECK(body_of(all).empty());
}

TEST_CASE("a head or body beyond a bound is refused and the connection closed") {
    Bench bench({.body_bytes_max = 4});
    const std::pair<std::string, std::string> refused[] = {
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "413"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "501"},
        {"nonsense\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\na: " + std::string(http_head_bytes_max, 'x'), "431"},
    };
    for (const auto& refusal : refused) {
        CAPTURE(refusal.second);
        Peer peer(bench);
        peer.say(refusal.first);
        CHECK(peer.hear_all().starts_with("HTTP/1.1 " + refusal.second));
    }
    Peer peer(bench);
    peer.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour");
    CHECK(body_of(peer.hear("four")) == "POST / four\n");
}

TEST_CASE("one connection too many is told so, and a place that is free again is given") {
    Bench bench({.connections_max = 1});
    auto first = std::make_unique<Peer>(bench);
    first->say("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    first->hear("/a");
    Peer second(bench);
    CHECK(second.hear_all().starts_with("HTTP/1.1 503"));
    first->hang_up();
    while (bench.server.connection_count() > 0)
        bench.io.run_one_for(5s);
    Peer third(bench);
    third.say("GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(third.hear("/c").starts_with("HTTP/1.1 200"));
}

TEST_CASE("an answer may take its time, and others do not wait for it") {
    Bench bench;
    Peer slow(bench);
    slow.say("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    Peer quick(bench);
    quick.say("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(body_of(quick.hear("/a")) == "GET /a \n");
    REQUIRE(bench.handler.release);
    bench.handler.release("now");
    CHECK(body_of(slow.hear("now")) == "GET /wait now\n");
}

TEST_CASE("lines come as they are pushed, until they end") {
    Bench bench;
    Peer peer(bench);
    peer.say("GET /lines HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(peer.hear("\r\n\r\n").find("application/x-ndjson") != std::string::npos);
    REQUIRE(bench.handler.lines != nullptr);
    bench.handler.lines->push("one");
    CHECK(body_of(peer.hear("one\n")) == "one\n");
    bench.handler.lines->push("two");
    bench.handler.lines->end();
    CHECK(body_of(peer.hear_all()) == "one\ntwo\n");
    CHECK(bench.handler.lines == nullptr);
}

TEST_CASE("a client that goes ends its lines at once") {
    Bench bench;
    Peer peer(bench);
    peer.say("GET /lines HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.hear("\r\n\r\n");
    REQUIRE(bench.handler.lines != nullptr);
    peer.hang_up();
    while (bench.handler.lines != nullptr)
        bench.io.run_one_for(5s);
    CHECK(bench.handler.lines == nullptr);
}

TEST_CASE("a client that does not finish its request is cut") {
    Bench bench({.request_max = 10ms});
    Peer peer(bench);
    peer.say("GET / HTTP/1.1\r\nHost: a\r\n");
    CHECK(peer.hear_all().empty());
    CHECK(peer.closed());
}

TEST_CASE("stopping ends waiting requests, lines and silent connections, then says so") {
    Bench bench;
    Peer waiting(bench);
    waiting.say("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    Peer reading(bench);
    reading.say("GET /lines HTTP/1.1\r\nHost: a\r\n\r\n");
    reading.hear("\r\n\r\n");
    Peer silent(bench);
    bench.io.poll();
    REQUIRE(bench.server.connection_count() == 3);
    CHECK(bench.stop());
    CHECK(bench.server.connection_count() == 0);
    CHECK(bench.handler.lines == nullptr);
}

TEST_CASE("a server that serves nobody has stopped when it is told to") {
    Bench bench;
    bench.server.stop([&] { bench.stopped = true; });
    CHECK(bench.stopped);
}

}  // namespace
}  // namespace chatx::node
