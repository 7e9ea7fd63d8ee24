#pragma once

#include "tools/bench/result.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace chatx::tools {

/// A side and how it is measured.
struct Contestant {
    std::string name;
    std::function<std::vector<double>()> turn;  // A value for each figure; empty: it is missing.
    std::string missing{};
};

/// Lets every contestant have its turn in every round, so that what disturbs one disturbs all: one
/// round that does not count, in which things grow warm, then those that do.
void measure_rounds(Result& result, const std::vector<Contestant>& contestants, std::size_t rounds);

}  // namespace chatx::tools
