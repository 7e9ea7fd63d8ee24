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

    [[nodiscard]] bool offer(const Framed& message) override {
        return outbox_.offer(message.bytes());
    }

    [[nodiscard]] bool drained() const override { return outbox_.drained(); }

    void close(proto::websocket::CloseCode code, std::string_view reason) override;

    [[nodiscard]] bool takes_binary() const override { return true; }

    [[nodiscard]] bool full() const override { return outbox_.overflowed(); }

    [[nodiscard]] std::size_t free_bytes() const override { return outbox_.free_bytes(); }

private:
    Outbox& outbox_;
};

}  // namespace chatx::node
