#pragma once

#include <chatx/time.h>

#include "node/gateway/connection_rows.h"
#include "node/gateway/handshake.h"
#include "node/gateway/http.h"
#include "node/gateway/outbox.h"
#include "node/gateway/poll_answer.h"
#include "node/gateway/poll_request.h"
#include "node/gateway/session.h"
#include "node/gateway/websocket_transport.h"
#include "node/log.h"
#include "proto/websocket.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace chatx::node {

class Gateway;
class PollExchange;

/// One client's socket, from the first byte to the last: HTTP requests, then perhaps a WebSocket.
/// A request to the long-poll transport may have a body, and its answer comes later; what the
/// client sends behind it waits. Reads when the socket has something, into a buffer that all
/// connections of the shard share, and writes at the end of the loop turn, so that an idle
/// connection owns no buffer and needs no coroutine.
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

    /// A long-poll session is about to answer its request.
    [[nodiscard]] bool awaits_answer() const { return phase_ == Phase::answer; }

    [[nodiscard]] const boost::asio::ip::address& peer() const { return peer_; }

    /// Null without a WebSocket.
    [[nodiscard]] const Session* session() const { return session_ ? &*session_ : nullptr; }

    /// What operators see of it. With a session.
    [[nodiscard]] ConnectionRow row() const;

private:
    friend class Gateway;

    enum class Phase : std::uint8_t {
        head,       // Waits for, or is in, the head of an HTTP request.
        body,       // In the body of what a long-poll client says.
        answer,     // A long-poll session has the request.
        websocket,  // Upgraded.
        closing,    // The last bytes are on their way; then the client has a moment to close its
                    // side.
        closed,
    };

    void wait_readable();
    void wait_writable();
    template <class Step>
    void handle(Step&& step);
    boost::system::error_code send_pending();
    void on_readable();
    [[nodiscard]] bool on_half_closed();
    void on_bytes(std::span<char> bytes);
    void on_http_bytes(std::span<char> bytes);
    [[nodiscard]] std::span<char> on_head_bytes(std::span<char> bytes);
    [[nodiscard]] std::span<char> on_body_bytes(std::span<char> bytes);
    void keep_for_later(std::span<char> bytes);
    void on_request(const HttpRequest& request);
    void on_poll_request(const HttpRequest& request);
    void ask_session();
    [[nodiscard]] bool on_poll_answer(const PollAnswer& answer);
    void open_poll(const PollRequest& request);
    void respond_to_poll(
        const PollRequest& request, const PollAnswer& answer, std::string_view token);
    void resume();
    void upgrade(const HttpRequest& request);
    void refuse(const HttpRequest& request, const HandshakeRefused& refused);
    void note_refusal(LogText what, HandshakeRefusal why, const HttpRequest* asked);
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
    WallTime connected_at_;
    Phase phase_ = Phase::head;
    std::uint8_t waits_ = 0;  // Handlers of Asio that refer to this object.
    bool writable_awaited_ = false;
    bool dirty_ = false;  // In the gateway's list of those to flush.
    bool pinged_ = false;
    bool settled_ = false;  // As Admission means it.
    bool ended_ = false;    // The client says no more; it may still listen.
    bool polled_ = false;   // Its client uses the long-poll transport.
    TimePoint since_;       // Of the phase; with a WebSocket, of the last bytes.
    std::string head_;      // The beginning of a head, or requests behind one in `answer`.
    std::unique_ptr<PollExchange> exchange_;  // In `body` and `answer`.
    Outbox outbox_;
    WebSocketTransport transport_{outbox_};
    proto::websocket::Decoder decoder_;
    std::optional<Session> session_;
};

}  // namespace chatx::node
