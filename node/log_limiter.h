#pragma once

#include <chatx/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace chatx::node {

/// Keeps a flood of equal lines out of the log: of each text a number of lines pass in each second,
/// the rest is counted.
///
/// Knows up to `texts_max` texts; further ones share one allowance, so that memory is bounded
/// whatever is logged. Any number of threads may call at the same time, none ever waits.
class LogLimiter {
public:
    struct Options {
        std::uint32_t lines_per_second = 10;  // Of each text.
        std::size_t texts_max = 512;
    };

    struct Suppressed {
        const char* text = nullptr;  // Null: texts beyond `texts_max`.
        std::uint32_t lines = 0;
    };

    struct Answer {
        bool pass = false;
        Suppressed before;  // Held back in an earlier second, if any; told of nowhere else.
    };

    explicit LogLimiter(Options options);

    /// May a line of this text be written now? The text lives as long as the program.
    [[nodiscard]] Answer admit(const char* text, TimePoint now);

    /// What was held back in seconds that are over; each line is told of once.
    [[nodiscard]] std::vector<Suppressed> take_suppressed(TimePoint now);

    /// What was held back and not told of yet, this second included.
    [[nodiscard]] std::vector<Suppressed> take_all_suppressed();

private:
    struct Slot {
        std::atomic<const char*> text = nullptr;
        std::atomic<std::uint64_t> window = 0;  // 32 bits of second, 32 of lines that came in it.
    };

    [[nodiscard]] Slot& slot_of(std::string_view text);
    [[nodiscard]] std::uint32_t held_back(std::uint64_t window) const;
    template <class Condition>
    std::vector<Suppressed> take_if(const Condition& is_over);

    Options options_;
    std::unique_ptr<Slot[]> slots_;  // `texts_max` of them by hash, and the shared one.
};

}  // namespace chatx::node
