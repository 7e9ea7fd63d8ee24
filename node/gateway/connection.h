#pragma once

#include <chatx/time.h>

#include "node/gateway/handshake.h"
#include "node/gateway/http.h"
#include "node/gateway/outbox.h"
#include "node/gateway/session.h"
#include "node/gateway/websocket_transport.h"
#include "proto/websocket.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace chatx::node {

class Gateway;

/// One client's socket, from the first byte to the last: HTTP requests, then perhaps a WebSocket.
/// Reads when the socket has something, into a buffer that all connections of the shard share, and
/// writes at the end of the loop turn, so that an idle connection owns no buffer and needs no
/// coroutine.
///
/// Owned by its gateway, which frees it once it is closed and no handler of Asio refers to it any
/// more. Lives on the shard's loop.
class Connection final : public OutboxOwner {
public:
    /// `peer` is the address that was admitted: the socket may have lost it by now.
    Connection(
        Gateway& gateway,
        boost::asio::ip::tcp::socket socket,
        boost::asio::ip::address peer,
        TimePoint now);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() override;

    void start();

    /// Sends what is waiting, as far as the socket takes it.
    void flush();

    /// Lets time pass: idle clients, slow ones, silent ones.
    void tick(TimePoint now);

    /// Asks the client to come back later: a WebSocket is closed with this code, anything else just
    /// ends.
    void close(proto::websocket::CloseCode code, std::string_view reason);

    /// Closed, and nothing refers to it.
    [[nodiscard]] bool finished() const {
        return phase_ == Phase::closed && waits_ == 0 && !dirty_;
    }

    void on_outbox_filled() override;
    void on_outbox_full() override;

    [[nodiscard]] bool is_websocket() const { return phase_ == Phase::websocket; }

    [[nodiscard]] const boost::asio::ip::address& peer() const { return peer_; }

private:
    friend class Gateway;

    enum class Phase : std::uint8_t {
        head,       // Waits for, or is in, the head of an HTTP request.
        websocket,  // Upgraded.
        closing,    // The last bytes are on their way; then the client has a moment to close its
                    // side.
        closed,
    };

    void wait_readable();
    void wait_writable();
    void handle(void (Connection::*step)());
    boost::system::error_code send_pending();
    void on_readable();
    void on_bytes(std::span<char> bytes);
    void on_head_bytes(std::span<char> bytes);
    void on_request(const HttpRequest& request);
    void upgrade(const HttpRequest& request);
    void refuse(const HttpRequest& request, const HandshakeRefused& refused);
    void settle();
    void on_websocket_bytes(std::span<char> bytes);
    void on_websocket_event(const proto::websocket::Event& event);
    void on_empty_fragments(std::size_t count);
    void respond(const HttpResponse& response, bool keep_alive, bool head_only);
    void begin_closing();
    [[nodiscard]] std::string_view user_text() const;  // Empty without a session.
    void end_session(proto::websocket::CloseCode code);
    void end();
    void check_session();
    void cut_slow_consumer();

    Gateway& gateway_;
    boost::asio::ip::tcp::socket socket_;
    boost::asio::ip::address peer_;
    Phase phase_ = Phase::head;
    std::uint8_t waits_ = 0;  // Handlers of Asio that refer to this object.
    bool writable_awaited_ = false;
    bool dirty_ = false;  // In the gateway's list of those to flush.
    bool pinged_ = false;
    bool settled_ = false;  // As Admission means it.
    bool ended_ = false;    // The client says no more; with `closing`, it may still listen.
    TimePoint since_;       // Of the phase; with a WebSocket, of the last bytes.
    std::string head_;      // The beginning of a head that is not complete.
    Outbox outbox_;
    WebSocketTransport transport_{outbox_};
    proto::websocket::Decoder decoder_;
    std::optional<Session> session_;
};

}  // namespace chatx::node
