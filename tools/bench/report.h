#pragma once

#include "tools/bench/options.h"
#include "tools/bench/result.h"

#include <string>
#include <vector>

namespace chatx::tools {

/// A number for people: three digits, thousands as k, millions as M.
std::string short_number(double value);

/// What a result was measured with, as words: "subscribers 1000, undelivered 8".
std::string parameters_text(const Result& result);

/// A result as a table of at most 80 columns.
std::string as_table(const Result& result, const Options& options);

/// All results with every round, as one line of JSON, schema `chatx.bench.v1`.
std::string as_json(const std::vector<Result>& results, const Options& options);

}  // namespace chatx::tools
