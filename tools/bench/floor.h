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

    /// Lets it take in the clients that have connected.
    void accept(std::size_t count);

    /// One round of sends.
    void send();

private:
    struct Pipes {
        int listener;
        int commands_out;
        int commands_in;
        int answers_out;
        int answers_in;
        std::uint16_t port;
    };

    Floor(const Pipes& pipes, std::string_view bytes);
    static Pipes open();
    static void serve(const Pipes& pipes, std::string_view bytes);

    int commands_;
    int answers_;
    std::uint16_t port_;
    Process process_;
};

}  // namespace chatx::tools
