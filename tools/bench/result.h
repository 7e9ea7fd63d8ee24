#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace chatx::tools {

/// Something that is counted or timed.
struct Figure {
    std::string name;  // For people: "deliveries per CPU second".
    std::string key;   // For programs: "deliveries_per_cpu_second".
    bool more_is_better = true;
};

/// One of the programs that do the same work.
struct Side {
    std::string name;
    std::string missing;                        // Why it has no values; empty: it has.
    std::vector<std::vector<double>> rounds{};  // In each a value for each figure.
};

/// What a measurement found out.
struct Result {
    std::string name;
    std::vector<std::pair<std::string, double>> parameters;
    std::vector<Figure> figures;
    std::vector<Side> sides;  // The first is chatx.
};

struct Summary {
    double median;
    double lowest;
    double highest;
};

/// Of some values; nothing of none.
std::optional<Summary> summary(std::vector<double> values);

/// The values of a figure, round by round.
std::vector<double> values(const Side& side, std::size_t figure);

/// How many times as good as a side the first one is, round by round: above 1 is in favour of
/// chatx, whether more or less is better. Rounds in which it cannot be told are left out.
std::vector<double> ratios(const Result& result, std::size_t figure, const Side& side);

}  // namespace chatx::tools
