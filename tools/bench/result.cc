#include "tools/bench/result.h"

#include <algorithm>

namespace chatx::tools {

std::optional<Summary> summary(std::vector<double> values) {
    if (values.empty()) return std::nullopt;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    const double median =
        values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    return Summary{.median = median, .lowest = values.front(), .highest = values.back()};
}

std::vector<double> values(const Side& side, std::size_t figure) {
    std::vector<double> result;
    for (const auto& round : side.rounds)
        result.push_back(round[figure]);
    return result;
}

std::vector<double> ratios(const Result& result, std::size_t figure, const Side& side) {
    const Side& ours = result.sides.front();
    std::vector<double> found;
    for (std::size_t i = 0; i < std::min(ours.rounds.size(), side.rounds.size()); ++i) {
        double better = ours.rounds[i][figure];
        double worse = side.rounds[i][figure];
        if (!result.figures[figure].more_is_better) std::swap(better, worse);
        if (better > 0 && worse > 0) found.push_back(better / worse);
    }
    return found;
}

}  // namespace chatx::tools
