#include "node/gateway/connection.h"

#include "node/gateway/gateway.h"
#include "node/gateway/poll_exchange.h"
#include "node/net/clock.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace chatx::node {

namespace asio = boost::asio;
namespace websocket = proto::websocket;

namespace {

/// A client that sends without pause gets this many reads before the others have their turn.
constexpr int reads_per_turn = 4;

constexpr std::string_view socket_path = "/socket/websocket";

/// Who sends more than this behind a request that is not answered is cut off.
constexpr std::size_t pipelined_bytes_max = std::size_t{64} * 1024;

/// What the protocol calls a connection that ended without a close frame (RFC 6455, 7.4.1).
constexpr auto broken_off = static_cast<websocket::CloseCode>(1006);

}  // namespace

Connection::Connection(
    Gateway& gateway, asio::ip::tcp::socket socket, asio::ip::address peer, TimePoint now)
    : gateway_(gateway),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      connected_at_(wall_now()),
      since_(now),
      outbox_(gateway.options_.outbox, gateway.buffers_, *this),
      decoder_(
          {.role = websocket::Role::server,
           .message_size_max = gateway.options_.message_size_max}) {}

Connection::~Connection() = default;

void Connection::start() {
    boost::system::error_code error;
    socket_.non_blocking(true, error);
    socket_.set_option(asio::ip::tcp::no_delay(true), error);
    wait_readable();
}

void Connection::wait_readable() {
    ++waits_;
    socket_.async_wait(
        asio::ip::tcp::socket::wait_read, [this](const boost::system::error_code& error) {
            --waits_;
            if (!error && phase_ != Phase::closed) handle([this] { on_readable(); });
            gateway_.reap(*this);
        });
}

void Connection::wait_writable() {
    if (std::exchange(writable_awaited_, true)) return;
    ++waits_;
    socket_.async_wait(
        asio::ip::tcp::socket::wait_write, [this](const boost::system::error_code& error) {
            --waits_;
            writable_awaited_ = false;
            if (!error && phase_ != Phase::closed) handle([this] { flush(); });
            gateway_.reap(*this);
        });
}

// What goes wrong with one client ends with its connection.
template <class Step>
void Connection::handle(Step&& step) {
    try {
        step();
    } catch (const std::exception& exception) {
        gateway_.wiring_.log.error(
            "connection failed", {{"peer", peer_.to_string()}, {"error", exception.what()}});
        end();
    }
    gateway_.wiring_.turn();
}

void Connection::on_readable() {
    for (int reads = 0; reads < reads_per_turn; ++reads) {
        boost::system::error_code error;
        const auto buffer = asio::buffer(gateway_.scratch_);
        const std::size_t count = socket_.read_some(buffer, error);
        if (error == asio::error::would_block) break;
        if (error == asio::error::eof && on_half_closed()) return;
        if (error) return end();
        on_bytes(std::span(gateway_.scratch_).first(count));
        if (phase_ == Phase::closed) return;
        if (count < buffer.size()) break;
    }
    wait_readable();
}

// A client that says no more still gets what it asked for; true when there is something. A poll is
// another matter: who gives up waiting looks the same.
bool Connection::on_half_closed() {
    if (phase_ == Phase::answer) return ended_ = exchange_->request().post;
    if (phase_ == Phase::websocket || outbox_.empty()) return false;
    ended_ = true;
    begin_closing();
    return true;
}

void Connection::on_bytes(std::span<char> bytes) {
    if (phase_ == Phase::answer) return keep_for_later(bytes);
    if (phase_ == Phase::head || phase_ == Phase::body) return on_http_bytes(bytes);
    if (phase_ == Phase::websocket) on_websocket_bytes(bytes);
    // While closing, what still comes is of no interest.
}

// Only a head that comes in pieces is copied, and what comes behind a request in `answer`.
void Connection::on_http_bytes(std::span<char> bytes) {
    std::string gathered = std::move(head_);
    head_.clear();
    if (!gathered.empty()) {
        gathered.append(bytes.data(), bytes.size());
        bytes = gathered;
    } else if (polled_ && phase_ == Phase::head) {
        since_ = gateway_.wiring_.port.now();  // The pause is over; a head has its own time.
    }
    while (!bytes.empty()) {
        if (phase_ == Phase::head) {
            bytes = on_head_bytes(bytes);
        } else if (phase_ == Phase::body) {
            bytes = on_body_bytes(bytes);
        } else {
            return on_bytes(bytes);
        }
    }
}

std::span<char> Connection::on_head_bytes(std::span<char> bytes) {
    const auto parsed = parse_http_head(std::string_view(bytes.data(), bytes.size()));
    if (std::holds_alternative<HttpIncomplete>(parsed)) {
        head_.assign(bytes.data(), bytes.size());
        return {};
    }
    settle();
    if (const auto* refused = std::get_if<HttpRefused>(&parsed)) {
        HttpResponse response;
        response.status = refused->status;
        response.body = std::string(refused->why) + "\n";
        respond(response, false, false);
        return {};
    }
    const auto& [request, size] = std::get<HttpParsed>(parsed);
    on_request(request);
    return bytes.subspan(size);
}

std::span<char> Connection::on_body_bytes(std::span<char> bytes) {
    const std::size_t taken = exchange_->take(std::string_view(bytes.data(), bytes.size()));
    if (exchange_->whole()) ask_session();
    return bytes.subspan(taken);
}

void Connection::keep_for_later(std::span<char> bytes) {
    head_.append(bytes.data(), bytes.size());
    if (head_.size() > pipelined_bytes_max) end();
}

void Connection::on_request(const HttpRequest& request) {
    if (request.path == socket_path) return upgrade(request);
    if (request.path == long_poll_path) return on_poll_request(request);
    respond(
        gateway_.wiring_.page(request),
        request.keep_alive && request.content_length == 0,
        request.method == "HEAD");
}

void Connection::upgrade(const HttpRequest& request) {
    auto outcome = websocket_handshake(request, {gateway_.options_.allowed_origins});
    if (const auto* refused = std::get_if<HandshakeRefused>(&outcome))
        return refuse(request, *refused);
    if (gateway_.draining())
        return refuse(request, refuse_handshake(HandshakeRefusal::shutting_down));
    auto user = gateway_.user_of(request.parameter("user_id"));
    if (!user) return refuse(request, refuse_handshake(HandshakeRefusal::user));
    if (!gateway_.wiring_.admission.admit(*user))
        return refuse(request, refuse_handshake(HandshakeRefusal::too_many_connections));

    gateway_.wiring_.metrics.count_http_response(101);
    gateway_.wiring_.metrics.websocket_opened();
    const auto& accepted = std::get<Upgrade>(outcome);
    outbox_.append(accepted.response);
    phase_ = Phase::websocket;
    since_ = gateway_.wiring_.port.now();
    session_.emplace(
        gateway_.options_.session,
        gateway_.wiring_.port,
        transport_,
        SessionClient{
            *std::move(user), accepted.version, gateway_.wiring_.admission.frames_of(peer_)});
}

// Neither the query nor the subprotocols, where tokens are, become a part of the line.
void Connection::refuse(const HttpRequest& request, const HandshakeRefused& refused) {
    note_refusal("handshake refused", refused.why, &request);
    respond(refused.response, false, false);
}

void Connection::note_refusal(LogText what, HandshakeRefusal why, const HttpRequest* asked) {
    gateway_.wiring_.metrics.count_handshake_refused(why);
    const std::string peer = peer_.to_string();
    if (why == HandshakeRefusal::origin && asked != nullptr) {
        gateway_.wiring_.log.info(
            what,
            {{"peer", peer},
             {"why", to_text(why)},
             {"origin", asked->header("origin")},
             {"host", asked->header("host")}});
    } else {
        gateway_.wiring_.log.info(what, {{"peer", peer}, {"why", to_text(why)}});
    }
}

void Connection::on_poll_request(const HttpRequest& request) {
    polled_ = true;
    auto read = read_poll_request(
        request, {gateway_.options_.allowed_origins}, gateway_.options_.message_size_max);
    if (const auto* answered = std::get_if<PollAnswered>(&read)) {
        if (answered->refusal) {
            note_refusal("long-poll refused", *answered->refusal, &request);
            gateway_.wiring_.metrics.count_long_poll_answer(
                static_cast<unsigned>(PollStatus::forbidden));
        }
        return respond(answered->response, answered->keep_alive, request.method == "HEAD");
    }
    auto& poll = std::get<PollRequest>(read);
    if (!poll.post && poll.token.empty()) return open_poll(poll);
    const bool expects_continue = poll.expects_continue;
    exchange_ = std::make_unique<PollExchange>(
        gateway_.polls_, std::move(poll), [this](const PollAnswer& answer) {
            return on_poll_answer(answer);
        });
    if (exchange_->whole()) return ask_session();
    phase_ = Phase::body;
    since_ = gateway_.wiring_.port.now();
    if (expects_continue) outbox_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

void Connection::ask_session() {
    phase_ = Phase::answer;
    since_ = gateway_.wiring_.port.now();
    exchange_->ask();
}

// Comes from the loop, not from inside a step of this connection.
bool Connection::on_poll_answer(const PollAnswer& answer) {
    const auto exchange = std::exchange(exchange_, nullptr);
    const PollRequest& request = exchange->request();
    phase_ = Phase::head;
    bool written = false;
    handle([&] {
        if (!answer.known && !request.post) {
            open_poll(request);
        } else {
            respond_to_poll(request, answer, request.token);
        }
        flush();
        written = phase_ != Phase::closed;
        resume();
    });
    return written;
}

void Connection::open_poll(const PollRequest& request) {
    const auto opened = gateway_.open_poll(request, peer_);
    if (const auto* why = std::get_if<HandshakeRefusal>(&opened)) {
        note_refusal("long-poll refused", *why, nullptr);
        return respond_to_poll(request, {PollStatus::forbidden, {}, true}, {});
    }
    respond_to_poll(request, {PollStatus::gone, {}, true}, std::get<std::string>(opened));
}

void Connection::respond_to_poll(
    const PollRequest& request, const PollAnswer& answer, std::string_view token) {
    gateway_.wiring_.metrics.count_long_poll_answer(static_cast<unsigned>(answer.status));
    const bool keep_alive = request.keep_alive && !gateway_.draining();
    respond(poll_response(request, answer, token), keep_alive, false);
}

// Goes on with what came behind the request that is answered now.
void Connection::resume() {
    if (phase_ == Phase::head && !head_.empty()) on_http_bytes({});
    if (phase_ == Phase::head && ended_) begin_closing();
}

// From here on the client is one that speaks.
void Connection::settle() {
    if (!std::exchange(settled_, true)) gateway_.wiring_.admission.settle(peer_);
}

void Connection::on_websocket_bytes(std::span<char> bytes) {
    since_ = gateway_.wiring_.port.now();
    pinged_ = false;
    decoder_.feed(bytes);
    while (phase_ == Phase::websocket) {
        const auto event = decoder_.next();
        if (!event) break;
        on_websocket_event(*event);
        check_session();
        if (phase_ == Phase::websocket && outbox_.overflowed()) cut_slow_consumer();
    }
    on_empty_fragments(decoder_.take_empty_fragments());
}

// They make no message and never grow one, so no other bound meets them.
void Connection::on_empty_fragments(std::size_t count) {
    for (; count > 0 && phase_ == Phase::websocket; --count) {
        (void)session_->on_control_frame();
        check_session();
    }
}

void Connection::on_websocket_event(const websocket::Event& event) {
    using Kind = websocket::Event::Kind;
    switch (event.kind) {
        case Kind::text:
            return session_->on_text(event.payload, gateway_.parser_);
        case Kind::binary:
            return session_->on_binary(event.payload);
        case Kind::ping:
            if (!session_->on_control_frame()) return;
            websocket::append_frame(outbox_.buffer(), websocket::Opcode::pong, event.payload);
            return outbox_.check();
        case Kind::pong:
            (void)session_->on_control_frame();
            return;
        case Kind::close:
            return session_->close(event.code, {});
        case Kind::failure:
            gateway_.wiring_.metrics.count_websocket_error();
            gateway_.wiring_.log.info(
                "client broke the protocol",
                {{"peer", peer_.to_string()}, {"user", user_text()}, {"why", event.payload}});
            return session_->close(event.code, event.payload);
    }
}

// A session closes by writing a close frame; from then on the connection only sends.
void Connection::check_session() {
    if (session_->closed()) begin_closing();
}

std::string_view Connection::user_text() const {
    return session_ ? std::string_view(session_->user().text()) : std::string_view();
}

void Connection::cut_slow_consumer() {
    gateway_.wiring_.metrics.count_slow_consumer();
    gateway_.wiring_.log.info(
        "slow consumer cut",
        {{"peer", peer_.to_string()}, {"user", user_text()}, {"outbox_bytes", outbox_.size()}});
    close(websocket::CloseCode::try_again_later, "slow consumer");
}

void Connection::respond(const HttpResponse& response, bool keep_alive, bool head_only) {
    gateway_.wiring_.metrics.count_http_response(static_cast<int>(response.status));
    const std::string bytes = to_bytes(response, keep_alive, head_only);
    if (outbox_.empty()) {
        outbox_.buffer().append(bytes);  // One answer may be of any size, frames in JSON grow.
    } else {
        outbox_.append(bytes);
    }
    if (outbox_.overflowed())
        return cut_slow_consumer();  // No later answer may take the place of this one.
    since_ = gateway_.wiring_.port.now();
    if (!keep_alive) begin_closing();
}

void Connection::close(websocket::CloseCode code, std::string_view reason) {
    if (phase_ == Phase::websocket) {
        session_->close(code, reason);
        check_session();
    } else if (phase_ == Phase::head || phase_ == Phase::body) {
        end();
    }
}

void Connection::begin_closing() {
    if (session_) end_session(*session_->closed());
    phase_ = Phase::closing;
    since_ = gateway_.wiring_.port.now();
    if (outbox_.empty()) flush();
}

void Connection::end_session(websocket::CloseCode code) {
    gateway_.wiring_.metrics.websocket_closed(static_cast<unsigned>(code));
    gateway_.wiring_.log.debug(
        "connection closed",
        {{"peer", peer_.to_string()},
         {"user", user_text()},
         {"code", static_cast<unsigned>(code)}});
    gateway_.wiring_.admission.release(session_->user());
    session_.reset();
}

void Connection::end() {
    if (phase_ == Phase::closed) return;
    if (session_) end_session(broken_off);
    exchange_.reset();
    phase_ = Phase::closed;
    outbox_.clear();
    boost::system::error_code ignored;
    socket_.close(ignored);
    settle();
    gateway_.wiring_.admission.release(peer_);
}

ConnectionRow Connection::row() const {
    const TimePoint now = gateway_.wiring_.port.now();
    return {
        .id = {gateway_.wiring_.port.edge().id().value, session_->id()},
        .user = session_->user().text(),
        .peer = peer_.to_string(),
        .transport = "websocket",
        .version = session_->version(),
        .rooms = session_->membership_count(),
        .connected_at = connected_at_,
        .outbox_bytes = outbox_.size(),
        .waiting = outbox_.waiting(now),
        .frames_in = session_->frames_in(),
        .refused = session_->refused(),
        .strikes = session_->strikes(),
        .gaps = session_->gaps()};
}

void Connection::on_outbox_filled() {
    if (!dirty_) gateway_.mark_dirty(*this);
}

// What is wrong with the socket is for `flush` to act on: here somebody may be in the middle of a
// list of connections.
void Connection::on_outbox_full() {
    if (phase_ != Phase::closed && !writable_awaited_) send_pending();
}

void Connection::flush() {
    if (phase_ == Phase::closed || writable_awaited_) return;
    const auto error = send_pending();
    if (session_) session_->on_flushed();
    if (error == asio::error::would_block) return wait_writable();
    if (error) return end();
    if (phase_ == Phase::closing) {
        if (ended_) return end();
        boost::system::error_code ignored;
        socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    }
}

// Writes until all is sent or the socket takes no more; the error is why it stopped.
boost::system::error_code Connection::send_pending() {
    boost::system::error_code error;
    while (!outbox_.empty()) {
        const std::string_view pending = outbox_.pending();
        const std::size_t count =
            socket_.write_some(asio::buffer(pending.data(), pending.size()), error);
        const TimePoint now = gateway_.wiring_.port.now();
        if (error == asio::error::would_block) outbox_.blocked(now);
        if (error) break;
        outbox_.sent(count, now);
        if (phase_ == Phase::closing)
            since_ = now;  // The moment that the client has to close is counted from here.
    }
    return error;
}

void Connection::tick(TimePoint now) {
    const GatewayOptions& options = gateway_.options_;
    const Duration idle = now - since_;
    switch (phase_) {
        case Phase::head: {
            const bool pauses = polled_ && head_.empty();
            const Duration idle_max = pauses ? options.idle_max : options.head_deadline;
            if (idle > idle_max || outbox_.too_old(now)) end();
            return;
        }
        case Phase::body:
            if (idle > options.head_deadline) end();
            return;
        case Phase::answer:  // Something went wrong where the session is.
            if (idle > options.poll.window + options.head_deadline) end();
            return;
        case Phase::websocket:
            if (outbox_.overflowed() || outbox_.too_old(now)) return cut_slow_consumer();
            if (idle > options.idle_max) return close(websocket::CloseCode::going_away, "idle");
            if (idle > options.idle_max / 2 && !std::exchange(pinged_, true)) {
                websocket::append_frame(outbox_.buffer(), websocket::Opcode::ping, {});
            }
            return;
        case Phase::closing:
            if (idle > options.linger || outbox_.too_old(now)) end();
            return;
        case Phase::closed:
            return;
    }
}

}  // namespace chatx::node
