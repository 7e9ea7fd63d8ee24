#pragma once

#include "tools/bench/options.h"
#include "tools/bench/rounds.h"
#include "tools/bench/server.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

/// The servers that are measured, as the command line wants them.
namespace chatx::tools {

inline constexpr const char* chatx_name = "chatx";
inline constexpr const char* floor_name = "floor";
inline constexpr const char* bun_name = "bun";

std::unique_ptr<Server> start_chatx(const Options& options);

/// Null where Bun was not found or is not wanted.
std::unique_ptr<Server> start_bun(const Options& options, std::size_t delivered_bytes = 0);

/// Adds Bun to the contestants where it is wanted: with its turn, or as missing.
void add_bun(
    std::vector<Contestant>& contestants,
    const Options& options,
    std::function<std::vector<double>()> turn);

}  // namespace chatx::tools
