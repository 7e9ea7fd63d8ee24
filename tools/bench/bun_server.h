#pragma once

#include "tools/bench/server.h"

#include <filesystem>
#include <optional>
#include <string>

namespace chatx::tools {

/// `peers/bun.mjs`, as it was when this program was built.
const char* bun_script();

/// Where Bun is: the program that was named, else the one of npm in `tests/clients` of the tree
/// that `near` is in, else the one in the user's cache directory. Nothing is downloaded.
std::optional<std::string> find_bun(const std::string& named, const std::filesystem::path& near);

/// Bun's built-in publish and subscribe, which is uWebSockets.
class BunServer : public Server {
public:
    struct Options {
        std::string program;
        bool loud = false;
        /// What is said is made at least so long, so that as much is delivered as by chatx, which
        /// says more of a message than its content.
        std::size_t delivered_bytes = 0;
    };

    explicit BunServer(const Options& options);

    [[nodiscard]] const Process& process() const override { return process_; }

    [[nodiscard]] std::uint16_t port() const override { return port_; }

    [[nodiscard]] Entry entry(
        std::size_t client, std::span<const std::string> rooms) const override;
    [[nodiscard]] std::string message(
        const std::string& room, std::size_t content_bytes) const override;

    [[nodiscard]] std::string_view mark() const override { return " new_message "; }

private:
    std::size_t delivered_bytes_;
    std::uint16_t port_;
    Process process_;
};

}  // namespace chatx::tools
