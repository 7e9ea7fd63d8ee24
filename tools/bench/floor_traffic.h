#pragma once

#include "tools/bench/floor.h"
#include "tools/bench/swarm.h"

#include <cstddef>
#include <string_view>

namespace chatx::tools {

/// The floor of fan-out with its clients, which do the same work as those of a chat server.
class FloorTraffic {
public:
    static constexpr std::string_view mark = "floor";

    /// In each wave each client gets so many messages of so much text, all in one send.
    FloorTraffic(std::size_t clients, std::size_t messages_for_each, std::size_t text_bytes);

    [[nodiscard]] const Process& process() const { return floor_.process(); }

    [[nodiscard]] Swarm& clients() { return clients_; }

    [[nodiscard]] std::size_t deliveries_per_wave() const { return deliveries_; }

    /// Begins a wave, once the one before has been sent.
    void send();

    /// The same, and waits until everything has arrived.
    void wave();

private:
    Floor floor_;
    Swarm clients_;
    std::size_t deliveries_;
    bool sending_ = false;
};

}  // namespace chatx::tools
