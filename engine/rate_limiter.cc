#include "engine/rate_limiter.h"

namespace chatx::engine {

RateLimiter::RateLimiter(const Options& options)
    : rate_({.tokens_per_sec = options.messages_per_sec, .burst = options.burst}),
      buckets_max_(options.buckets_max) {}

std::optional<Duration> RateLimiter::take(const UserId& user, TimePoint now) {
    if (rate_.unlimited()) return std::nullopt;
    expire(now);
    const auto found = by_user_.find(user);
    if (found == by_user_.end()) {
        if (by_user_.size() >= buckets_max_) {
            return by_full_at_.empty() ? rate_.interval() : by_full_at_.begin()->first - now;
        }
        const auto bucket = by_user_.emplace(user, by_full_at_.end()).first;
        bucket->second = by_full_at_.emplace(now + rate_.interval(), &bucket->first);
        return std::nullopt;
    }
    TokenBucket bucket(found->second->first);
    if (const auto wait = bucket.take(rate_, now)) return wait;
    by_full_at_.erase(found->second);
    found->second = by_full_at_.emplace(bucket.full_at(), &found->first);
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
