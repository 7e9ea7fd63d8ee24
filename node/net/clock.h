#pragma once

#include <chatx/entropy.h>
#include <chatx/time.h>

#include <cstdint>

namespace chatx::node {

/// The monotonic clock of this machine. Any thread.
TimePoint monotonic_now();

/// The wall clock of this machine. Any thread.
WallTime wall_now();

/// Numbers from the system's generator, drawn once for a seed and stretched: good for jitter, ids
/// and shuffles, not for secrets. Lives on one loop.
class SystemEntropy final : public Entropy {
public:
    SystemEntropy();

    std::uint64_t next() override { return stream_.next(); }

private:
    SeededEntropy stream_;
};

}  // namespace chatx::node
