#pragma once

#include "tools/bench/process.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::tools {

/// How a client enters a server, and how it knows that it is in.
struct Entry {
    std::string target;              // What it asks for in the upgrade request.
    std::vector<std::string> hello;  // What it says then.
    std::string welcome;             // What stands near the beginning of an answer that lets it in.
    std::size_t welcomes = 1;        // How many of those there are.
    std::string refusal{};           // The same of an answer that does not; empty: there is none.
};

/// A chat server in a process of its own, and its language.
class Server {
public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    virtual ~Server() = default;

    [[nodiscard]] virtual const Process& process() const = 0;
    [[nodiscard]] virtual std::uint16_t port() const = 0;

    /// How client number so and so enters these rooms.
    [[nodiscard]] virtual Entry entry(
        std::size_t client, std::span<const std::string> rooms) const = 0;

    /// What a client says to give the others in a room a message with so much content.
    [[nodiscard]] virtual std::string message(
        const std::string& room, std::size_t content_bytes) const = 0;

    /// What stands near the beginning of every message that is delivered, and of nothing else.
    [[nodiscard]] virtual std::string_view mark() const = 0;
};

/// Waits until it takes clients; throws when it does not within 10 s.
void wait_until_serving(const Process& process, std::uint16_t port, const std::string& program);

}  // namespace chatx::tools
