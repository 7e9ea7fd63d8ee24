#pragma once

#include "tools/bench/server.h"

#include <string>
#include <vector>

namespace chatx::tools {

/// A node of its own for a measurement: memory only, no limits of rate, on a free loopback port.
class ChatxServer : public Server {
public:
    struct Options {
        std::string program;
        std::vector<std::string> settings;  // Further ones, as `--set` of chatxd takes them.
        bool loud = false;                  // Shows what it says.
    };

    explicit ChatxServer(const Options& options);

    [[nodiscard]] const Process& process() const override { return process_; }

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    [[nodiscard]] Entry entry(
        std::size_t client, std::span<const std::string> rooms) const override;
    [[nodiscard]] std::string message(
        const std::string& room, std::size_t content_bytes) const override;

    [[nodiscard]] std::string_view mark() const override { return R"("new_message",{"id")"; }

private:
    static std::vector<std::string> command(const Options& options, std::uint16_t port);

    std::uint16_t port_;
    Process process_;
};

}  // namespace chatx::tools
