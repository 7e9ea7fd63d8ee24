#pragma once

#include <chatx/time.h>

#include "engine/token_bucket.h"

#include <atomic>
#include <optional>

namespace chatx::node {

/// A token bucket that several threads take from: one atomic integer, so that nobody waits for
/// anybody. Does what engine::TokenBucket does.
class SharedTokenBucket {
public:
    /// `rate` outlives the bucket.
    explicit SharedTokenBucket(const engine::TokenRate& rate) : rate_(rate) {}

    SharedTokenBucket(const SharedTokenBucket&) = delete;
    SharedTokenBucket& operator=(const SharedTokenBucket&) = delete;
    ~SharedTokenBucket() = default;

    /// Takes a token. Nothing when there was one, else how long until there is. Any thread; the
    /// threads read one monotonic clock.
    [[nodiscard]] std::optional<Duration> take(TimePoint now) {
        Duration::rep before = full_at_.load(std::memory_order_relaxed);
        while (true) {
            engine::TokenBucket bucket{TimePoint(Duration(before))};
            if (const auto wait = bucket.take(rate_, now)) return wait;
            const auto after = bucket.full_at().time_since_epoch().count();
            if (full_at_.compare_exchange_weak(before, after, std::memory_order_relaxed))
                return std::nullopt;
        }
    }

    [[nodiscard]] TimePoint full_at() const {
        return TimePoint(Duration(full_at_.load(std::memory_order_relaxed)));
    }

private:
    const engine::TokenRate& rate_;
    std::atomic<Duration::rep> full_at_ =
        engine::TokenBucket().full_at().time_since_epoch().count();
};

}  // namespace chatx::node
