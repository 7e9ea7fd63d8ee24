#include "engine/token_bucket.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace chatx::engine {

namespace {

constexpr Duration interval_max = std::chrono::hours(24);
constexpr Duration capacity_max = std::chrono::hours(24) * 3650;

// Bounded before it becomes an integer, so that no setting overflows.
Duration rounded_up(double nanoseconds, Duration max) {
    if (!(nanoseconds < static_cast<double>(max.count()))) return max;
    return Duration(static_cast<Duration::rep>(std::ceil(nanoseconds)));
}

Duration interval_of(double tokens_per_sec) {
    if (!(tokens_per_sec > 0)) return Duration::zero();
    return rounded_up(1e9 / tokens_per_sec, interval_max);
}

}  // namespace

TokenRate::TokenRate(Options options)
    : interval_(interval_of(options.tokens_per_sec)),
      capacity_(rounded_up(
          std::max(options.burst, 1.0) * static_cast<double>(interval_.count()), capacity_max)) {}

std::optional<Duration> TokenBucket::take(const TokenRate& rate, TimePoint now) {
    if (rate.unlimited()) return std::nullopt;
    const TimePoint full_at = std::max(full_at_, now) + rate.interval();
    if (full_at - now > rate.capacity()) return full_at - now - rate.capacity();
    full_at_ = full_at;
    return std::nullopt;
}

}  // namespace chatx::engine
