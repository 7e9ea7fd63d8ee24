#pragma once

#include "tools/bench/server.h"

namespace chatx::tools {

/// The floor of arriving: a process that takes each client in, answers its first request and its
/// first word with bytes made beforehand, and forgets it. No parsing, no room, no list of who is
/// there. Delivers nothing.
class Doorman : public Server {
public:
    Doorman();

    [[nodiscard]] const Process& process() const override { return process_; }

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    [[nodiscard]] Entry entry(
        std::size_t client, std::span<const std::string> rooms) const override;
    [[nodiscard]] std::string message(
        const std::string& room, std::size_t content_bytes) const override;

    [[nodiscard]] std::string_view mark() const override { return "-"; }

private:
    explicit Doorman(int listener);

    std::uint16_t port_;
    Process process_;
};

}  // namespace chatx::tools
