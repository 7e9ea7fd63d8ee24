#pragma once

#include <cstdint>

namespace chatx {

/// Where random numbers come from. The node draws them from the system, tests and the simulator
/// from a seed. Not for secrets. Lives on one loop.
class Entropy {
public:
    Entropy() = default;
    Entropy(const Entropy&) = delete;
    Entropy& operator=(const Entropy&) = delete;
    virtual ~Entropy() = default;

    /// 64 evenly distributed bits.
    virtual std::uint64_t next() = 0;

    /// A number from 0 to `bound` - 1; 0 when `bound` is 0. Lemire's multiply-shift; its bias is
    /// below `bound` / 2^64.
    std::uint64_t below(std::uint64_t bound) {
        return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
    }

private:
    __extension__ using Wide = unsigned __int128;
};

/// The same sequence for the same seed, on every machine: SplitMix64 (Steele, Lea, Flood 2014).
class SeededEntropy final : public Entropy {
public:
    explicit SeededEntropy(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() override {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
        return mixed ^ (mixed >> 31);
    }

private:
    std::uint64_t state_;
};

}  // namespace chatx
