#pragma once

#include "tools/bench/process.h"

#include <cstdint>
#include <string>
#include <vector>

namespace chatx::tools {

/// A node of its own for a measurement: memory only, no limits of rate, on a free loopback port.
class NodeProcess {
public:
    /// Starts it and waits until it takes clients. Throws when it does not within 10 s.
    NodeProcess(const std::string& program, bool loud);

    [[nodiscard]] std::uint16_t port() const { return port_; }

    [[nodiscard]] const Process& process() const { return process_; }

private:
    std::uint16_t port_;
    Process process_;
};

}  // namespace chatx::tools
