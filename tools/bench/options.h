#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace chatx::tools {

/// What the command line says about measurements.
struct Options {
    std::string node;                   // The program, `chatxd`.
    std::vector<std::string> settings;  // For it, as its `--set` takes them.
    bool peer = false;                  // Measure Bun too.
    std::optional<std::string> bun;     // The program, where it was found.
    bool loud = false;                  // Show what the servers say.

    std::size_t rounds = 5;  // In each, every side has its turn.
    double seconds = 1;      // Of a turn.

    std::optional<std::size_t> subscribers;  // Else what each measurement is made for.
    std::optional<std::size_t> undelivered;  // `fanout`, `rooms`: in a room at a time.
    std::size_t content_bytes = 128;
    std::optional<std::size_t> room_size;  // `connect`, `storm`, `idle`: people in each room.
    std::size_t rate = 200;                // `latency`: messages a second.
};

}  // namespace chatx::tools
