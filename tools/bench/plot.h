#pragma once

#include "tools/bench/options.h"
#include "tools/bench/result.h"

#include <string>
#include <vector>

namespace chatx::tools {

/// The results as one page that needs nothing else: a drawing for each figure, for light and for
/// dark, with its numbers as text.
std::string as_page(const std::vector<Result>& results, const Options& options);

}  // namespace chatx::tools
