#pragma once

#include "proto/websocket.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace chatx::test {

/// A client on loopback that can misbehave: says bytes as they are, reads when told to. Each wait
/// is bounded; running out of time fails the test.
class SocketClient {
public:
    static constexpr auto wait_max = std::chrono::seconds(10);

    /// `receive_buffer` bytes are all the kernel takes for a client that does not read; 0: as
    /// usual.
    explicit SocketClient(std::uint16_t port, int receive_buffer = 0)
        : SocketClient(receive_buffer) {
        connect(port);
    }

    /// A socket that is not connected yet.
    explicit SocketClient(int receive_buffer)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
        REQUIRE(socket_ >= 0);
        if (receive_buffer > 0) {
            ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        }
    }

    SocketClient(const SocketClient&) = delete;
    SocketClient& operator=(const SocketClient&) = delete;

    ~SocketClient() { close(); }

    void connect(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the socket API is made so.
        (void)::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        REQUIRE(wait(POLLOUT));
    }

    /// Sends all of it; false when the server has closed.
    bool say(std::string_view bytes) {
        const auto deadline = std::chrono::steady_clock::now() + wait_max;
        while (!bytes.empty() && std::chrono::steady_clock::now() < deadline) {
            const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            } else if (errno != EAGAIN || !wait(POLLOUT)) {
                return false;
            }
        }
        return bytes.empty();
    }

    /// Sends as much as goes without waiting; false when the server has closed.
    bool push(std::string_view bytes) const {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return sent > 0 || errno == EAGAIN;
    }

    /// Reads until the text was seen, and returns everything up to its end.
    std::string read_until(std::string_view text) {
        while (true) {
            const std::size_t found = received_.find(text);
            if (found != received_.npos) {
                std::string result = received_.substr(0, found + text.size());
                received_.erase(0, result.size());
                return result;
            }
            const bool open = receive();
            REQUIRE_MESSAGE(open, "closed before `" << text << "`, behind: " << received_);
        }
    }

    /// Reads exactly so many bytes.
    std::string read(std::size_t count) {
        while (received_.size() < count)
            REQUIRE(receive());
        std::string result = received_.substr(0, count);
        received_.erase(0, count);
        return result;
    }

    /// Something was said that is not read yet, or the server has closed.
    [[nodiscard]] bool heard_something() const {
        pollfd entry{.fd = socket_, .events = POLLIN, .revents = 0};
        return !received_.empty() || ::poll(&entry, 1, 0) == 1;
    }

    /// Everything until the server closes.
    std::string read_to_end() {
        while (receive()) {
        }
        return std::exchange(received_, {});
    }

    // ---- WebSocket ----

    /// Upgrades; the answer must be 101.
    void upgrade(std::string_view user) {
        REQUIRE(say(upgrade_request(user)));
        REQUIRE(read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    }

    static std::string upgrade_request(std::string_view user) {
        return "GET /socket/websocket?user_id=" + std::string(user)
               + "&vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    }

    static std::string frame(
        std::string_view payload,
        proto::websocket::Opcode opcode = proto::websocket::Opcode::text) {
        std::string bytes;
        proto::websocket::append_frame(
            bytes, opcode, payload, {.final = true, .mask = proto::websocket::MaskKey{1, 2, 3, 4}});
        return bytes;
    }

    /// The next text, or `ping`, `pong`, `close 1001 idle`, or `end` when the server has closed.
    std::string hear() {
        while (true) {
            decoder_.feed(decoding_);
            while (const auto event = decoder_.next())
                heard_.push_back(words_for(*event));
            decoding_.clear();
            if (!heard_.empty()) {
                std::string first = std::move(heard_.front());
                heard_.pop_front();
                return first;
            }
            if (received_.empty() && !receive()) return "end";
            decoding_.swap(received_);
        }
    }

    /// The next text that contains this, everything else before it is skipped.
    std::string hear_until(std::string_view part) {
        while (true) {
            std::string next = hear();
            if (next.find(part) != next.npos) return next;
            REQUIRE_MESSAGE(next != "end", "closed before `" << part << "`");
        }
    }

    // ---- endings ----

    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }

    /// Breaks the connection off with a reset.
    void reset() {
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

    /// Says no more, but still reads.
    void shutdown_send() const { ::shutdown(socket_, SHUT_WR); }

private:
    static std::string words_for(const proto::websocket::Event& event) {
        using Kind = proto::websocket::Event::Kind;
        switch (event.kind) {
            case Kind::text:
                return std::string(event.payload);
            case Kind::ping:
                return "ping";
            case Kind::pong:
                return "pong";
            case Kind::close:
                return "close " + std::to_string(static_cast<unsigned>(event.code)) + " "
                       + std::string(event.payload);
            default:
                return "not a frame of a server";
        }
    }

    [[nodiscard]] bool wait(short events) const {
        pollfd entry{.fd = socket_, .events = events, .revents = 0};
        const auto milliseconds = std::chrono::milliseconds(wait_max).count();
        return ::poll(&entry, 1, static_cast<int>(milliseconds)) == 1;
    }

    // Takes what there is, waiting for it; false at the end of the stream or after a reset.
    bool receive() {
        REQUIRE(wait(POLLIN));
        std::string buffer(std::size_t{64} * 1024, '\0');
        const auto count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (count <= 0) return false;
        received_.append(buffer, 0, static_cast<std::size_t>(count));
        return true;
    }

    int socket_;
    std::string received_;
    std::string decoding_;
    std::deque<std::string> heard_;
    proto::websocket::Decoder decoder_{
        {.role = proto::websocket::Role::client, .message_size_max = std::size_t{1} << 24}};
};

}  // namespace chatx::test
