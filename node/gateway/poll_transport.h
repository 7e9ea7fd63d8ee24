#pragma once

#include "node/gateway/transport.h"
#include "proto/websocket.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// Keeps the messages of a long-poll session until a poll comes for them. A client that is gone for
/// too long cannot know what it missed: beyond a bound the transport is full, and its session is to
/// end. Lives on the session's loop; without I/O.
class PollTransport final : public Transport {
public:
    struct Limits {
        std::size_t bytes_max = std::size_t{1} << 20;
        std::size_t frames_max = 4096;
    };

    /// `on_change` is called when frames are there and were not, when the transport is full, and
    /// when the session closes; it may not end the session. The limits outlive the transport.
    PollTransport(const Limits& limits, std::function<void()> on_change)
        : limits_(limits), on_change_(std::move(on_change)) {}

    void send_text(std::string_view message) override;

    /// Binary frames cannot be said inside JSON: drops it.
    void send_binary(std::string_view message) override;

    /// Drops binary ones too.
    void send(const Framed& message) override;

    /// There is no frame for it: clients hear of the end by the status of their next request.
    void close(proto::websocket::CloseCode code, std::string_view reason) override;

    [[nodiscard]] bool takes_binary() const override { return false; }

    [[nodiscard]] bool full() const override { return full_; }

    [[nodiscard]] std::size_t free_bytes() const override {
        return bytes_ < limits_.bytes_max ? limits_.bytes_max - bytes_ : 0;
    }

    [[nodiscard]] bool empty() const { return frames_.empty(); }

    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// All frames that wait, in order.
    [[nodiscard]] std::vector<std::string> take();

    /// Frames that were taken and did not reach the client: they come first again.
    void put_back(std::vector<std::string> frames);

private:
    void check();

    const Limits& limits_;
    std::function<void()> on_change_;
    std::vector<std::string> frames_;
    std::size_t bytes_ = 0;
    bool full_ = false;
};

}  // namespace chatx::node
