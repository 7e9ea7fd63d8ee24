#pragma once

#include <array>
#include <cstdint>

namespace chatx::node {

/// 128 bits that nobody can guess.
using Secret = std::array<std::uint8_t, 16>;

/// A new one, from the system's generator of random numbers. Any thread.
[[nodiscard]] Secret draw_secret();

}  // namespace chatx::node
