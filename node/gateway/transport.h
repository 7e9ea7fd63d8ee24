#pragma once

#include "node/framed.h"
#include "proto/websocket.h"

#include <cstddef>
#include <string_view>

namespace chatx::node {

/// What carries a session's messages to its client: a WebSocket, or the answers to its polls.
/// Bounded: beyond its bound it is `full` for good and takes nothing more. Lives on the session's
/// loop.
class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    virtual void send_text(std::string_view message) = 0;

    /// Only where `takes_binary`.
    virtual void send_binary(std::string_view message) = 0;

    /// The same for a message that many clients get. The costliest call of all: some thousand times
    /// for each message of a large room.
    virtual void send(const Framed& message) = 0;

    /// The same for a message that may be missing as long as that is told: leaves it out, and is
    /// false, while the client reads too slowly.
    [[nodiscard]] virtual bool offer(const Framed& message) {
        send(message);
        return true;
    }

    /// The client has caught up far enough to be told what it missed.
    [[nodiscard]] virtual bool drained() const { return true; }

    /// Says goodbye behind what was sent; nothing follows.
    virtual void close(proto::websocket::CloseCode code, std::string_view reason) = 0;

    [[nodiscard]] virtual bool takes_binary() const = 0;

    [[nodiscard]] virtual bool full() const = 0;

    /// What it takes before it is full, in bytes.
    [[nodiscard]] virtual std::size_t free_bytes() const = 0;
};

}  // namespace chatx::node
