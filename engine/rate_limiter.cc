#include "engine/rate_limiter.h"

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

Duration interval_of(double messages_per_sec) {
    if (!(messages_per_sec > 0)) return Duration::zero();
    return rounded_up(1e9 / messages_per_sec, interval_max);
}

}  // namespace

RateLimiter::RateLimiter(const Options& options)
    : interval_(interval_of(options.messages_per_sec)),
      capacity_(rounded_up(
          std::max(options.burst, 1.0) * static_cast<double>(interval_.count()), capacity_max)),
      buckets_max_(options.buckets_max) {}

std::optional<Duration> RateLimiter::take(const UserId& user, TimePoint now) {
    if (interval_ == Duration::zero()) return std::nullopt;
    expire(now);
    const auto found = by_user_.find(user);
    if (found == by_user_.end()) {
        if (by_user_.size() >= buckets_max_) {
            return by_full_at_.empty() ? interval_ : by_full_at_.begin()->first - now;
        }
        const auto bucket = by_user_.emplace(user, by_full_at_.end()).first;
        bucket->second = by_full_at_.emplace(now + interval_, &bucket->first);
        return std::nullopt;
    }
    const TimePoint full_at = found->second->first + interval_;
    if (full_at - now > capacity_) return full_at - now - capacity_;
    by_full_at_.erase(found->second);
    found->second = by_full_at_.emplace(full_at, &found->first);
    return std::nullopt;
}

void RateLimiter::expire(TimePoint now) {
    while (!by_full_at_.empty() && by_full_at_.begin()->first <= now) {
        by_user_.erase(*by_full_at_.begin()->second);
        by_full_at_.erase(by_full_at_.begin());
    }
}

std::optional<TimePoint> RateLimiter::all_full_at() const {
    if (by_full_at_.empty()) return std::nullopt;
    return by_full_at_.rbegin()->first;
}

}  // namespace chatx::engine
