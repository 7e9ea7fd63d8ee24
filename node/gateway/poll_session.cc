#include "node/gateway/poll_session.h"

#include "node/gateway/poll_body.h"

#include <utility>
#include <variant>

namespace chatx::node {

namespace websocket = proto::websocket;

PollSession::PollSession(
    const Options& options,
    const SessionOptions& session,
    SessionPort& port,
    SessionClient client,
    std::function<void()> on_change)
    : options_(options),
      transport_(options.transport, std::move(on_change)),
      session_(session, port, transport_, std::move(client)),
      since_(port.now()) {}

std::optional<PollReply> PollSession::get(PollTicket ticket, TimePoint now) {
    auto superseded = reply({PollStatus::nothing, {}, true});
    waiting_ = ticket;
    since_ = now;
    return superseded;
}

bool PollSession::post(
    std::string_view content_type, std::string_view body, proto::json::Parser& parser) {
    const auto read = read_poll_body(content_type, body);
    if (const auto* refused = std::get_if<PollBodyRefused>(&read)) {
        session_.close(websocket::CloseCode::protocol_error, refused->why);
        return false;
    }
    for (const PollMessage& message : std::get<std::vector<PollMessage>>(read)) {
        if (message.binary) {
            session_.on_binary(message.bytes);
        } else {
            session_.on_text(message.bytes, parser);
        }
        if (session_.closed()) return false;
    }
    return true;
}

void PollSession::abandon(PollTicket ticket, TimePoint now) {
    if (waiting_ != ticket) return;
    waiting_.reset();
    since_ = now;
}

void PollSession::settled(std::vector<std::string> returned) {
    handed_ = false;
    if (!returned.empty()) transport_.put_back(std::move(returned));
}

std::optional<PollReply> PollSession::next(TimePoint now) {
    if (!waiting_ || handed_ || transport_.empty()) return std::nullopt;
    handed_ = true;
    since_ = now;
    return reply({PollStatus::ok, transport_.take(), true});
}

std::optional<PollReply> PollSession::tick(TimePoint now) {
    if (!waiting_ || now - since_ < options_.window) return std::nullopt;
    since_ = now;
    return reply({PollStatus::nothing, {}, true});
}

bool PollSession::expired(TimePoint now) const {
    return !waiting_ && now - since_ > options_.silence_max();
}

std::optional<PollReply> PollSession::reply(PollAnswer answer) {
    if (!waiting_) return std::nullopt;
    return PollReply{*std::exchange(waiting_, std::nullopt), std::move(answer)};
}

}  // namespace chatx::node
