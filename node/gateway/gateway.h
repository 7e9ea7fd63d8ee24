#pragma once

#include <chatx/time.h>

#include "node/gateway/connection.h"
#include "node/gateway/connection_rows.h"
#include "node/gateway/handshake.h"
#include "node/gateway/long_poll.h"
#include "node/gateway/outbox.h"
#include "node/gateway/poll_request.h"
#include "node/gateway/poll_session.h"
#include "node/gateway/session.h"
#include "node/gateway/web_page.h"
#include "node/log.h"
#include "node/metrics.h"
#include "node/net/admission.h"
#include "proto/json.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace chatx::node {

struct GatewayOptions {
    SessionOptions session;
    Outbox::Limits outbox;
    std::size_t message_size_max = std::size_t{256} * 1024;  // Of what clients send.
    Duration head_deadline = std::chrono::seconds(10);
    Duration idle_max = std::chrono::seconds(60);  // Since the last frame; pinged at half of it.
    Duration linger = std::chrono::seconds(2);     // For the client to close its side.
    PollSession::Options poll{};                   // Its bound in bytes is that of the outbox.
    std::vector<std::string> allowed_origins;
};

/// The clients of one shard: takes sockets in, answers HTTP, and spreads what rooms say. At the end
/// of a turn of the loop each connection that has something to send gets one system call, whatever
/// the number of messages. Lives on the shard's loop.
class Gateway {
public:
    /// What the gateway works with. All of it outlives the gateway.
    struct Wiring {
        SessionPort& port;
        Admission& admission;
        ShardMetrics& metrics;
        Logger& log;
        std::function<HttpResponse(const HttpRequest&)> page;  // Answers anything but the socket.
        std::function<void()> turn;                            // Inputs were given to the core.
        std::uint16_t shard = 0;
        std::uint16_t shards = 1;

        /// Runs something with the gateway of another shard, on that one's loop.
        std::function<void(std::uint16_t, std::function<void(Gateway&)>)> relay;
    };

    Gateway(boost::asio::io_context& io, GatewayOptions options, Wiring wiring);
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;
    ~Gateway();

    /// Takes over a connected socket of this loop, and the admission of its address, which is
    /// pending.
    void adopt(boost::asio::ip::tcp::socket socket, const boost::asio::ip::address& peer);

    /// Lets time pass for all connections. Call about once a second.
    void tick(TimePoint now);

    /// Closes up to `count` WebSockets with 1012 and long-poll sessions, and everything else that
    /// does not wait for an answer of a session; returns how many of all these are left. From the
    /// first call on nothing new is taken: handshakes, joins and sends are refused with
    /// `shutting_down`.
    std::size_t drain(std::size_t count);

    [[nodiscard]] bool draining() const { return draining_; }

    /// Ends every connection at once.
    void stop();

    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

    /// The WebSockets of one page and the first behind it, for operators.
    [[nodiscard]] std::vector<ConnectionRow> rows(const ConnectionPage& page) const;

    /// The WebSocket whose session has this number; null when there is none. For this turn only.
    [[nodiscard]] Connection* find(std::uint64_t session) const;

    [[nodiscard]] LongPoll& polls() { return polls_; }

private:
    friend class Connection;

    // For the connections.
    void mark_dirty(Connection& connection);
    void wake();  // There is something to flush.
    void flush_dirty();
    void reap(Connection& connection);  // Frees it when it is finished.
    [[nodiscard]] std::optional<UserId> user_of(std::optional<std::string_view> name);
    [[nodiscard]] std::variant<std::string, HandshakeRefusal> open_poll(
        const PollRequest& request, const boost::asio::ip::address& peer);  // A token.

    boost::asio::io_context& io_;
    GatewayOptions options_;
    Wiring wiring_;
    BufferPool buffers_;
    proto::json::Parser parser_;
    std::vector<char> scratch_;
    LongPoll polls_;
    std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> dirty_;
    std::vector<Connection*> flushing_;
    bool flush_posted_ = false;
    bool draining_ = false;
    std::uint64_t guests_ = 0;
    std::size_t outbox_bytes_told_ = 0;
};

}  // namespace chatx::node
