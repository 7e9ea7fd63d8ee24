#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/token_bucket.h"

#include <cstddef>
#include <map>
#include <optional>

namespace chatx::engine {

/// Limits how often each user may send in one room: a TokenBucket for each user. A full bucket is
/// the same as none, so memory holds only users who sent lately: a bucket is gone `burst /
/// messages_per_sec` after its last token was taken. Lives on one loop.
class RateLimiter {
public:
    struct Options {
        double messages_per_sec = 10;  // 0: no limit. At least one a day.
        double burst = 20;  // Tokens of a full bucket, at least 1. It fills within ten years.
        std::size_t buckets_max = 50'000;  // Beyond it, users without a bucket are refused.
    };

    explicit RateLimiter(const Options& options);

    /// Takes a token. Nothing when there was one, else how long until there is; more than zero.
    [[nodiscard]] std::optional<Duration> take(const UserId& user, TimePoint now);

    /// Drops the buckets that are full again. `take` does the same.
    void expire(TimePoint now);

    /// When all buckets are full again, if there are any.
    [[nodiscard]] std::optional<TimePoint> all_full_at() const;

    [[nodiscard]] std::size_t bucket_count() const { return by_user_.size(); }

private:
    // Ordered maps: nobody can choose user ids that collide.
    using Order = std::multimap<TimePoint, const UserId*>;
    using Buckets = std::map<UserId, Order::iterator>;

    TokenRate rate_;
    std::size_t buckets_max_;
    Buckets by_user_;
    Order by_full_at_;
};

}  // namespace chatx::engine
