#include "proto/nearest.h"

#include <algorithm>
#include <array>

namespace chatx::proto {

namespace {

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
std::size_t distance(std::string_view from, std::string_view to) {
    std::array<std::array<std::size_t, nearest_size_max + 1>, nearest_size_max + 1> steps{};
    for (std::size_t i = 0; i <= from.size(); ++i)
        steps[i][0] = i;
    for (std::size_t j = 0; j <= to.size(); ++j)
        steps[0][j] = j;

    for (std::size_t i = 1; i <= from.size(); ++i) {
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t replaced = steps[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
            steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, replaced});
            const bool swapped =
                i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if (swapped) steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
        }
    }
    return steps[from.size()][to.size()];
}

std::string_view last_part(std::string_view name) {
    return name.substr(name.rfind('.') + 1);
}

template <class Condition>
std::optional<std::string_view> only_one(
    std::span<const std::string_view> names, const Condition& condition) {
    const auto first = std::ranges::find_if(names, condition);
    if (first == names.end()) return std::nullopt;
    if (std::find_if(first + 1, names.end(), condition) != names.end()) return std::nullopt;
    return *first;
}

}  // namespace

std::optional<std::string_view> nearest(
    std::string_view word, std::span<const std::string_view> names) {
    if (word.empty() || word.size() > nearest_size_max) return std::nullopt;
    const auto same_end = [&](std::string_view name) { return last_part(name) == last_part(word); };
    if (const auto name = only_one(names, same_end)) return name;

    std::size_t least = std::min<std::size_t>(3, 1 + word.size() / 5) + 1;
    std::optional<std::string_view> best;
    for (const std::string_view name : names) {
        if (name.size() > nearest_size_max) continue;
        const std::size_t steps = distance(word, name);
        if (steps >= least) continue;
        least = steps;
        best = name;
    }
    if (best) return best;
    return only_one(names, [&](std::string_view name) { return name.starts_with(word); });
}

}  // namespace chatx::proto
