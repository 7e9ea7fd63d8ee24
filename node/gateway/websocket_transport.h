#pragma once

#include "node/gateway/outbox.h"
#include "node/gateway/transport.h"

namespace chatx::node {

/// Writes messages to the outbox of a WebSocket.
class WebSocketTransport final : public Transport {
public:
    /// `outbox` outlives the transport.
    explicit WebSocketTransport(Outbox& outbox) : outbox_(outbox) {}

    void send_text(std::string_view message) override;
    void send_binary(std::string_view message) override;

    void send(const Framed& message) override { outbox_.append(message.bytes()); }

    void close(proto::websocket::CloseCode code, std::string_view reason) override;

    [[nodiscard]] bool takes_binary() const override { return true; }

    [[nodiscard]] bool full() const override { return outbox_.overflowed(); }

private:
    Outbox& outbox_;
};

}  // namespace chatx::node
