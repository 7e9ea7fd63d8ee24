#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace chatx::tools {

/// One room, many subscribers: how many deliveries does a second of the server's CPU make?
struct FanoutOptions {
    std::string node;  // The program, `chatxd`.
    std::size_t subscribers = 1000;
    std::size_t undelivered =
        8;  // Messages on their way at a time; the next are sent when all have arrived.
    std::size_t content_bytes = 128;
    std::size_t rounds = 5;
    double seconds = 1;  // Of each measurement; one of ours and one of the floor's make a round.
    bool loud = false;   // Show what the node says.
};

/// Deliveries for each second of CPU time.
struct FanoutRound {
    double ours = 0;
    double floor = 0;

    [[nodiscard]] double ratio() const { return ours / floor; }
};

/// Measures. `progress` is told how many rounds are done. Throws when the node or a client fails.
std::vector<FanoutRound> measure_fanout(
    const FanoutOptions& options, const std::function<void(std::size_t)>& progress);

}  // namespace chatx::tools
