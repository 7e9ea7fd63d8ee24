#pragma once

#include <chatx/assert.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

/// What a fuzzer drives: any bytes must be survived, and what is claimed of the outcome is
/// asserted. libFuzzer calls it (LLVM's entry point has this name); elsewhere replay.cc does, with
/// the corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace chatx::fuzz {

inline std::string_view to_text(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace chatx::fuzz
