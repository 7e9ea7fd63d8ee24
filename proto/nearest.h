#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace chatx::proto {

/// Longest word and longest name that are compared, in bytes; longer ones are near nothing.
inline constexpr std::size_t nearest_size_max = 64;

/// Which of the names somebody may have meant who wrote `word`: one with the same last part behind
/// a dot, or one that is a few slips of the keyboard away (optimal string alignment distance,
/// Damerau 1964), or the only one that begins with the word. None when nothing is near.
[[nodiscard]] std::optional<std::string_view> nearest(
    std::string_view word, std::span<const std::string_view> names);

}  // namespace chatx::proto
