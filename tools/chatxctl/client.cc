#include "tools/chatxctl/client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <limits>
#include <optional>

namespace chatx::tools {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = proto::json;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

/// Longer than any answer of a node takes; a stream is waited for without an end.
constexpr auto answer_max = std::chrono::seconds(150);

constexpr std::size_t head_max = std::size_t{64} * 1024;

constexpr std::size_t read_max = std::size_t{16} * 1024;

/// The longest list of a node is some megabytes.
constexpr std::size_t body_max = std::size_t{64} << 20;

using Socket = asio::local::stream_protocol::socket;

std::string encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    constexpr std::string_view plain = "-._~";
    std::string result;
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
                            || (byte >= '0' && byte <= '9');
        if (letter || plain.find(character) != std::string_view::npos) {
            result += character;
        } else {
            result += '%';
            result += digits[byte >> 4];
            result += digits[byte & 0xF];
        }
    }
    return result;
}

std::string get_request(std::string_view path, const Parameters& parameters) {
    std::string target(path);
    for (const auto& [name, value] : parameters) {
        target += target.size() == path.size() ? '?' : '&';
        target.append(name).append("=").append(encoded(value));
    }
    return "GET " + target + " HTTP/1.1\r\nHost: chatx\r\nConnection: close\r\n\r\n";
}

/// One question and its answer.
class Exchange {
public:
    Exchange(asio::io_context& io, Socket socket, std::function<void(std::string_view)> on_line)
        : io_(io),
          socket_(std::move(socket)),
          deadline_(io),
          signals_(io),
          on_line_(std::move(on_line)) {}

    Outcome run(std::string request);

private:
    asio::awaitable<void> converse(std::string request);
    asio::awaitable<bool> read_head();
    asio::awaitable<void> read_body();
    asio::awaitable<bool> read_more();
    void take_lines();
    void watch();
    [[nodiscard]] Outcome outcome();

    asio::io_context& io_;
    Socket socket_;
    asio::steady_timer deadline_;
    asio::signal_set signals_;
    std::function<void(std::string_view)> on_line_;  // Empty: no stream is expected.

    std::string bytes_;
    unsigned status_ = 0;
    std::optional<std::uint64_t> size_;  // Of the body; nothing: up to the end.
    bool whole_ = false;
    bool interrupted_ = false;
    bool too_late_ = false;
};

Outcome Exchange::run(std::string request) {
    watch();
    asio::co_spawn(io_, converse(std::move(request)), [this](const std::exception_ptr& /*error*/) {
        deadline_.cancel();
        boost::system::error_code ignored;
        signals_.cancel(ignored);
    });
    io_.run();
    return outcome();
}

void Exchange::watch() {
    if (on_line_) {
        boost::system::error_code ignored;
        signals_.add(SIGINT, ignored);
        signals_.async_wait([this](const boost::system::error_code& error, int /*signal*/) {
            if (error) return;
            interrupted_ = true;
            io_.stop();
        });
        return;
    }
    deadline_.expires_after(answer_max);
    deadline_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        too_late_ = true;
        io_.stop();
    });
}

asio::awaitable<void> Exchange::converse(std::string request) {
    co_await asio::async_write(socket_, asio::buffer(request), no_throw);
    const bool head = co_await read_head();
    if (head) co_await read_body();
}

asio::awaitable<bool> Exchange::read_head() {
    http::response_parser<http::empty_body> parser;
    parser.header_limit(head_max);
    parser.body_limit(body_max);
    while (bytes_.find("\r\n\r\n") == std::string::npos) {
        if (bytes_.size() >= head_max) co_return false;
        const bool more = co_await read_more();
        if (!more) co_return false;
    }
    const std::size_t size = bytes_.find("\r\n\r\n") + 4;
    boost::system::error_code error;
    parser.put(asio::buffer(bytes_.data(), size), error);
    if (!parser.is_header_done()) co_return false;
    status_ = parser.get().result_int();
    if (const auto length = parser.content_length()) size_ = *length;
    bytes_.erase(0, size);
    co_return true;
}

asio::awaitable<void> Exchange::read_body() {
    const bool stream = on_line_ && status_ == 200;
    while (!size_ || bytes_.size() < *size_) {
        if (stream) take_lines();
        if (bytes_.size() >= body_max) break;
        const bool more = co_await read_more();
        if (!more) break;
    }
    whole_ = size_ && bytes_.size() >= *size_;
}

asio::awaitable<bool> Exchange::read_more() {
    std::array<char, read_max> part;
    const auto [error, count] = co_await socket_.async_read_some(asio::buffer(part), no_throw);
    if (error) co_return false;
    bytes_.append(part.data(), count);
    co_return true;
}

void Exchange::take_lines() {
    std::size_t begin = 0;
    for (std::size_t end = bytes_.find('\n'); end != std::string::npos;
         end = bytes_.find('\n', begin)) {
        on_line_(std::string_view(bytes_).substr(begin, end - begin));
        begin = end + 1;
    }
    bytes_.erase(0, begin);
}

Outcome Exchange::outcome() {
    if (interrupted_) return Reply{200, {}, {}};
    if (too_late_) return Failure{ExitCode::partial, "the node did not answer in time"};
    if (!whole_) {
        const bool ended = on_line_ && status_ == 200;
        return Failure{
            ExitCode::unreachable,
            ended ? "the node ended the stream" : "the node broke off its answer"};
    }
    Reply reply{status_, std::move(bytes_), {}};
    json::Parser parser({.text_size_max = body_max, .depth_max = 16, .values_max = 10'000'000});
    auto parsed = parser.parse(reply.body);
    auto* value = std::get_if<json::Value>(&parsed);
    if (value == nullptr)
        return Failure{ExitCode::failed, "what answers at the socket is no node of chatx"};
    reply.value = std::move(*value);
    return reply;
}

/// Nothing when nobody listens there; a failure when this user may not ask.
std::variant<std::monostate, Failure, Socket> connect(
    asio::io_context& io, const std::string& path) {
    Socket socket(io);
    boost::system::error_code error;
    const bool fits = path.size() < sizeof(sockaddr_un::sun_path);
    if (!fits) return Failure{ExitCode::usage, "the path of the socket is longer than 107 bytes"};
    socket.connect({path}, error);
    if (!error) return socket;
    if (error == asio::error::access_denied) {
        return Failure{
            ExitCode::not_allowed,
            path + ": permission denied; run chatxctl as the user that runs the node"};
    }
    return std::monostate();
}

}  // namespace

Outcome Client::get(std::string_view path, const Parameters& parameters) const {
    return ask(get_request(path, parameters), {});
}

Outcome Client::post(std::string_view path, std::string_view body) const {
    return ask(
        "POST " + std::string(path)
            + " HTTP/1.1\r\nHost: chatx\r\nConnection: close\r\nContent-Length: "
            + std::to_string(body.size()) + "\r\n\r\n" + std::string(body),
        {});
}

Outcome Client::follow(
    std::string_view path,
    const Parameters& parameters,
    std::function<void(std::string_view)> on_line) const {
    return ask(get_request(path, parameters), std::move(on_line));
}

Outcome Client::ask(std::string request, std::function<void(std::string_view)> on_line) const {
    std::string tried;
    for (const std::string& path : paths_) {
        asio::io_context io;
        auto connected = connect(io, path);
        if (auto* failure = std::get_if<Failure>(&connected)) return std::move(*failure);
        if (auto* socket = std::get_if<Socket>(&connected)) {
            return Exchange(io, std::move(*socket), std::move(on_line)).run(std::move(request));
        }
        tried += (tried.empty() ? "" : " or ") + path;
    }
    return Failure{
        ExitCode::unreachable,
        "no node answers at " + tried
            + "; start chatxd, or name its admin socket (chatxd logs it at start) with --socket PATH or CHATXCTL_SOCKET"};
}

std::vector<std::string> default_sockets() {
    std::vector<std::string> paths{"./chatx-data/admin.sock"};
    const char* runtime =
        std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe): no other thread is there.
    const std::string dev = runtime != nullptr && *runtime != '\0'
                                ? std::string(runtime) + "/chatx/admin.sock"
                                : "/tmp/chatx-" + std::to_string(::geteuid()) + "/admin.sock";

    // In /tmp anybody may have put a socket of that name.
    struct stat status {};

    const bool there = ::lstat(dev.c_str(), &status) == 0;
    if (!there || status.st_uid == ::geteuid()) paths.push_back(dev);
    return paths;
}

}  // namespace chatx::tools
