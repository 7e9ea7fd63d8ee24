#pragma once

#include "tools/bench/process.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chatx::tools {

/// What any server that fans out over TCP pays at least: a process that holds plain sockets and,
/// when told to, makes one non-blocking send of bytes made beforehand on each. No framing, no
/// order, no room.
class Floor {
public:
    /// Starts it. `bytes` is what each socket gets in one round.
    explicit Floor(std::string_view bytes);
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;
    ~Floor();

    [[nodiscard]] std::uint16_t port() const { return port_; }

    [[nodiscard]] const Process& process() const { return process_; }

    /// Lets it take in the clients that have connected, and waits until it has.
    void accept(std::size_t count) const;

    /// Tells it to make a round of sends.
    void begin_send() const;

    /// Waits until the oldest round that was told to begin has been made.
    void end_send() const;

private:
    struct Pipes {
        int listener;
        int commands_out;
        int commands_in;
        int answers_out;
        int answers_in;
    };

    Floor(const Pipes& pipes, std::string_view bytes);
    static Pipes open();
    static void serve(const Pipes& pipes, std::string_view bytes);
    void tell(std::size_t command) const;

    int commands_;
    int answers_;
    std::uint16_t port_;
    Process process_;
};

}  // namespace chatx::tools
