#pragma once

#include <chatx/time.h>

#include "node/gateway/http.h"
#include "node/gateway/line_feed.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>

namespace chatx::node {

/// An answer: a whole one, or lines (`application/x-ndjson`) for as long as the client reads along.
using HttpAnswer = std::variant<HttpResponse, std::unique_ptr<LineFeed>>;

/// Who answers the requests of an HttpServer.
class HttpHandler {
public:
    HttpHandler() = default;
    HttpHandler(const HttpHandler&) = delete;
    HttpHandler& operator=(const HttpHandler&) = delete;
    virtual ~HttpHandler() = default;

    /// Answers within a bounded time. May be cancelled when the server stops; then it may throw
    /// what Asio throws.
    virtual boost::asio::awaitable<HttpAnswer> answer(HttpRequest request, std::string body) = 0;
};

/// HTTP/1.1 for operators and their tools: few connections, any stream socket, answers that take
/// their time. Clients of the chat are served by Gateway.
///
/// Requests of a connection are answered in order, one at a time. Lives on the control loop. Every
/// coroutine it starts is held until it ends; `stop` ends all, and comes before the end of a server
/// that has served anybody.
class HttpServer {
public:
    using Protocol = boost::asio::generic::stream_protocol;
    using Socket = Protocol::socket;
    using Acceptor = boost::asio::basic_socket_acceptor<Protocol>;

    struct Options {
        std::size_t connections_max = 64;                   // A further one is told 503 and closed.
        std::size_t body_bytes_max = std::size_t{1} << 20;  // A larger body is refused with 413.
        Duration request_max =
            std::chrono::seconds(10);  // From a head's first byte to the last of its body.
        Duration idle_max =
            std::chrono::seconds(60);  // Without a request. A fresh connection has `request_max`.
        Duration write_max = std::chrono::seconds(10);  // For an answer, or for lines that wait.
    };

    /// `handler` outlives the server.
    HttpServer(boost::asio::io_context& io, HttpHandler& handler, Options options);
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    /// Takes connections from a listening acceptor, from now on.
    void serve(Acceptor acceptor);

    /// Serves a connected socket.
    void adopt(Socket socket);

    /// Ends everything, then calls `done`; the loop must run for it. Once.
    void stop(std::function<void()> done);

    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

private:
    /// A coroutine that runs.
    struct Task {
        boost::asio::cancellation_signal cancel;
        bool ended = false;  // Soon to be erased.
    };

    struct Connection;

    struct Received {
        HttpRequest head;
        std::string body;
    };

    void spawn(boost::asio::awaitable<void> work);
    void forget(std::list<Task>::iterator task);
    void told_stopped();

    boost::asio::awaitable<void> accept(Acceptor acceptor);
    boost::asio::awaitable<void> watch_deadlines();
    boost::asio::awaitable<void> converse(Socket socket);
    boost::asio::awaitable<std::optional<Received>> receive(Connection& connection);
    boost::asio::awaitable<std::optional<HttpParsed>> receive_head(Connection& connection);
    boost::asio::awaitable<bool> read_more(Connection& connection);
    boost::asio::awaitable<bool> write(Connection& connection, std::string bytes) const;
    boost::asio::awaitable<void> refuse(Connection& connection, HttpRefused refusal);
    boost::asio::awaitable<void> stream(Connection& connection, std::unique_ptr<LineFeed> feed);
    boost::asio::awaitable<void> write_lines(Connection& connection, LineFeed& feed);
    static boost::asio::awaitable<void> wait_gone(Connection& connection);
    static void turn_away(Socket& socket);

    boost::asio::io_context& io_;
    HttpHandler& handler_;
    Options options_;
    std::list<Task> tasks_;
    std::set<Connection*> connections_;
    bool watching_ = false;
    std::function<void()> stopped_;  // Set by `stop`.
};

}  // namespace chatx::node
