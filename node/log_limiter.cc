#include "node/log_limiter.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace chatx::node {

namespace {

constexpr std::uint32_t lines_max = std::numeric_limits<std::uint32_t>::max();

std::uint32_t second_of(TimePoint now) {
    return static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
}

std::uint32_t second_of(std::uint64_t window) {
    return static_cast<std::uint32_t>(window >> 32);
}

std::uint32_t lines_of(std::uint64_t window) {
    return static_cast<std::uint32_t>(window);
}

std::uint64_t make_window(std::uint32_t second, std::uint32_t lines) {
    return (static_cast<std::uint64_t>(second) << 32) | lines;
}

}  // namespace

LogLimiter::LogLimiter(Options options)
    : options_(options), slots_(std::make_unique<Slot[]>(options.texts_max + 1)) {}

LogLimiter::Answer LogLimiter::admit(const char* text, TimePoint now) {
    Slot& slot = slot_of(text);
    const std::uint32_t second = second_of(now);
    std::uint64_t window = slot.window.load(std::memory_order_relaxed);
    while (true) {
        const bool fresh = second_of(window) != second;
        const std::uint32_t lines = fresh ? 0 : lines_of(window);
        if (lines == lines_max) return {};
        if (slot.window.compare_exchange_weak(
                window, make_window(second, lines + 1), std::memory_order_relaxed)) {
            const std::uint32_t before = fresh ? held_back(window) : 0;
            return {lines < options_.lines_per_second, {slot.text.load(), before}};
        }
    }
}

std::vector<LogLimiter::Suppressed> LogLimiter::take_suppressed(TimePoint now) {
    const std::uint32_t second = second_of(now);
    return take_if([second](std::uint64_t window) { return second_of(window) != second; });
}

std::vector<LogLimiter::Suppressed> LogLimiter::take_all_suppressed() {
    return take_if([](std::uint64_t) { return true; });
}

LogLimiter::Slot& LogLimiter::slot_of(std::string_view text) {
    const std::size_t home = std::hash<std::string_view>()(text);
    for (std::size_t step = 0; step < options_.texts_max; ++step) {
        Slot& slot = slots_[(home + step) % options_.texts_max];
        const char* owner = nullptr;
        if (slot.text.compare_exchange_strong(owner, text.data()) || text == owner) return slot;
    }
    return slots_[options_.texts_max];
}

std::uint32_t LogLimiter::held_back(std::uint64_t window) const {
    return lines_of(window) - std::min(lines_of(window), options_.lines_per_second);
}

template <class Condition>
std::vector<LogLimiter::Suppressed> LogLimiter::take_if(const Condition& is_over) {
    std::vector<Suppressed> taken;
    for (std::size_t i = 0; i <= options_.texts_max; ++i) {
        std::uint64_t window = slots_[i].window.load(std::memory_order_relaxed);
        while (is_over(window) && held_back(window) > 0) {
            const std::uint64_t told = make_window(second_of(window), options_.lines_per_second);
            if (!slots_[i].window.compare_exchange_weak(window, told, std::memory_order_relaxed))
                continue;
            taken.push_back({slots_[i].text.load(), held_back(window)});
            break;
        }
    }
    return taken;
}

}  // namespace chatx::node
