#include "node/net/clock.h"

#include <chrono>
#include <random>

namespace chatx::node {

namespace {

std::uint64_t system_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

TimePoint monotonic_now() {
    return TimePoint(std::chrono::steady_clock::now().time_since_epoch());
}

WallTime wall_now() {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return WallTime(std::chrono::duration_cast<Wall::duration>(since_1970));
}

SystemEntropy::SystemEntropy() : stream_(system_seed()) {}

}  // namespace chatx::node
