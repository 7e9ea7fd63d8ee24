#include "node/gateway/http_server.h"

#include <chatx/assert.h>

#include "node/net/clock.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <exception>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t read_bytes = std::size_t{16} * 1024;

/// Deadlines are looked at this often.
constexpr auto watch_interval = std::chrono::seconds(1);

/// Without descriptors every accept fails at once; trying again and again would burn the loop.
constexpr auto accept_pause = std::chrono::milliseconds(100);

constexpr TimePoint never = TimePoint::max();

constexpr std::string_view lines_head =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

HttpResponse refusal_of(const HttpRefused& refused) {
    HttpResponse response;
    response.status = refused.status;
    response.body = std::string(refused.why) + "\n";
    return response;
}

}  // namespace

struct HttpServer::Connection {
    Connection(HttpServer& of, Socket connected) : server(of), socket(std::move(connected)) {
        server.connections_.insert(this);
    }

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ~Connection() { server.connections_.erase(this); }

    HttpServer& server;
    Socket socket;
    std::string received;        // Not yet used.
    TimePoint deadline = never;  // For what it does now; then it is closed.
};

HttpServer::HttpServer(asio::io_context& io, HttpHandler& handler, Options options)
    : io_(io), handler_(handler), options_(options) {}

HttpServer::~HttpServer() {
    CHATX_ASSERT(tasks_.empty());
}

void HttpServer::serve(Acceptor acceptor) {
    spawn(accept(std::move(acceptor)));
}

void HttpServer::adopt(Socket socket) {
    if (stopped_) return;
    if (connections_.size() >= options_.connections_max) return turn_away(socket);
    spawn(converse(std::move(socket)));
}

void HttpServer::stop(std::function<void()> done) {
    stopped_ = std::move(done);
    for (Task& task : tasks_) {
        if (!task.ended) task.cancel.emit(asio::cancellation_type::terminal);
    }
    told_stopped();
}

// A signal is emitted by way of the loop, which refers to the task until then: it is erased behind
// that.
void HttpServer::spawn(asio::awaitable<void> work) {
    const auto task = tasks_.emplace(tasks_.end());
    // Whatever ended it, an exception included, it has closed what it held.
    const auto on_end = [this, task](const std::exception_ptr& /*error*/) {
        task->ended = true;
        asio::post(io_, [this, task] { forget(task); });
    };
    asio::co_spawn(io_, std::move(work), asio::bind_cancellation_slot(task->cancel.slot(), on_end));
}

void HttpServer::forget(std::list<Task>::iterator task) {
    tasks_.erase(task);
    told_stopped();
}

void HttpServer::told_stopped() {
    if (!stopped_ || !tasks_.empty()) return;
    const auto done = std::move(stopped_);
    stopped_ = nullptr;
    done();
}

asio::awaitable<void> HttpServer::accept(Acceptor acceptor) {
    asio::steady_timer pause(io_);
    while (true) {
        auto [error, socket] = co_await acceptor.async_accept(no_throw);
        if (!error) {
            adopt(std::move(socket));
        } else if (error == asio::error::operation_aborted) {
            co_return;
        } else {
            pause.expires_after(accept_pause);
            co_await pause.async_wait(no_throw);
        }
    }
}

// One timer for all, and none while nobody is connected.
asio::awaitable<void> HttpServer::watch_deadlines() {
    asio::steady_timer timer(io_);
    while (!connections_.empty()) {
        timer.expires_after(watch_interval);
        co_await timer.async_wait(no_throw);
        const TimePoint now = monotonic_now();
        for (Connection* connection : connections_) {
            boost::system::error_code ignored;
            if (now >= connection->deadline) connection->socket.close(ignored);
        }
    }
    watching_ = false;
}

asio::awaitable<void> HttpServer::converse(Socket socket) {
    Connection connection(*this, std::move(socket));
    if (!stopped_ && !std::exchange(watching_, true)) spawn(watch_deadlines());
    connection.deadline = monotonic_now() + options_.request_max;
    while (true) {
        auto received = co_await receive(connection);
        if (!received) co_return;
        connection.deadline = never;  // The handler bounds itself.
        const bool keep_alive = received->head.keep_alive;
        const bool head_only = received->head.method == "HEAD";
        auto answer =
            co_await handler_.answer(std::move(received->head), std::move(received->body));
        if (auto* feed = std::get_if<std::unique_ptr<LineFeed>>(&answer)) {
            co_await stream(connection, std::move(*feed));
            co_return;
        }
        const bool written = co_await write(
            connection, to_bytes(std::get<HttpResponse>(answer), keep_alive, head_only));
        if (!written || !keep_alive) co_return;
        connection.deadline = monotonic_now() + options_.idle_max;
    }
}

// Nothing when there is no request any more, or none that can be answered.
asio::awaitable<std::optional<HttpServer::Received>> HttpServer::receive(Connection& connection) {
    auto parsed = co_await receive_head(connection);
    if (!parsed) co_return std::nullopt;
    const auto size = parsed->request.content_length;
    if (size > options_.body_bytes_max) {
        co_await refuse(connection, {413, "The request body is larger than this port takes."});
        co_return std::nullopt;
    }
    connection.received.erase(0, parsed->size);
    while (connection.received.size() < size) {
        const bool more = co_await read_more(connection);
        if (!more) co_return std::nullopt;
    }
    Received received{std::move(parsed->request), connection.received.substr(0, size)};
    connection.received.erase(0, size);
    co_return std::optional<Received>(std::move(received));
}

asio::awaitable<std::optional<HttpParsed>> HttpServer::receive_head(Connection& connection) {
    bool begun = !connection.received.empty();
    while (true) {
        auto outcome = parse_http_head(connection.received);
        if (auto* parsed = std::get_if<HttpParsed>(&outcome)) {
            co_return std::optional<HttpParsed>(std::move(*parsed));
        }
        if (const auto* refused = std::get_if<HttpRefused>(&outcome)) {
            co_await refuse(connection, *refused);
            co_return std::nullopt;
        }
        const bool more = co_await read_more(connection);
        if (!more) co_return std::nullopt;
        if (!std::exchange(begun, true))
            connection.deadline = monotonic_now() + options_.request_max;
    }
}

asio::awaitable<bool> HttpServer::read_more(Connection& connection) {
    std::array<char, read_bytes> bytes;
    const auto [error, count] =
        co_await connection.socket.async_read_some(asio::buffer(bytes), no_throw);
    if (error) co_return false;
    connection.received.append(bytes.data(), count);
    co_return true;
}

asio::awaitable<bool> HttpServer::write(Connection& connection, std::string bytes) const {
    connection.deadline = monotonic_now() + options_.write_max;
    const auto [error, count] =
        co_await asio::async_write(connection.socket, asio::buffer(bytes), no_throw);
    connection.deadline = never;
    co_return !error && count == bytes.size();
}

asio::awaitable<void> HttpServer::refuse(Connection& connection, HttpRefused refusal) {
    co_await write(connection, to_bytes(refusal_of(refusal), false));
}

// Until the lines end or the client goes; what it still says is of no interest.
asio::awaitable<void> HttpServer::stream(Connection& connection, std::unique_ptr<LineFeed> feed) {
    using asio::experimental::awaitable_operators::operator||;
    const bool written = co_await write(connection, std::string(lines_head));
    if (!written) co_return;
    co_await (write_lines(connection, *feed) || wait_gone(connection));
}

asio::awaitable<void> HttpServer::write_lines(Connection& connection, LineFeed& feed) {
    while (true) {
        std::string lines = co_await feed.take();
        if (lines.empty()) co_return;
        const bool written = co_await write(connection, std::move(lines));
        if (!written) co_return;
    }
}

asio::awaitable<void> HttpServer::wait_gone(Connection& connection) {
    std::array<char, 256> bytes;
    while (true) {
        const auto [error, count] =
            co_await connection.socket.async_read_some(asio::buffer(bytes), no_throw);
        if (error || count == 0) co_return;
    }
}

void HttpServer::turn_away(Socket& socket) {
    const std::string bytes =
        to_bytes(refusal_of({503, "Too many connections; close one of them."}), false);
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(bytes), ignored);
}

}  // namespace chatx::node
