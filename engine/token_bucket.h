#pragma once

#include <chatx/time.h>

#include <optional>

namespace chatx::engine {

/// How fast the tokens of a bucket come back, and how many a full one holds. A value, computed once
/// for all the buckets that share it.
class TokenRate {
public:
    struct Options {
        double tokens_per_sec = 10;  // 0: no limit. At least one a day.
        double burst = 20;  // Tokens of a full bucket, at least 1. It fills within ten years.
    };

    explicit TokenRate(Options options);

    [[nodiscard]] bool unlimited() const { return interval_ == Duration::zero(); }

    /// Between two tokens; zero without a limit.
    [[nodiscard]] Duration interval() const { return interval_; }

    /// From empty to full.
    [[nodiscard]] Duration capacity() const { return capacity_; }

private:
    Duration interval_;
    Duration capacity_;
};

/// A token bucket, full at start and refilled continuously.
///
/// Kept as the time at which it is full again, after the Generic Cell Rate Algorithm (ITU-T I.371):
/// one integer, no drift, nothing to do while time passes. A value, without I/O.
class TokenBucket {
public:
    TokenBucket() = default;

    explicit TokenBucket(TimePoint full_at) : full_at_(full_at) {}

    /// Takes a token. Nothing when there was one, else how long until there is; more than zero.
    /// Every call for one bucket gets the same rate.
    [[nodiscard]] std::optional<Duration> take(const TokenRate& rate, TimePoint now);

    /// From then on the bucket is as good as a new one.
    [[nodiscard]] TimePoint full_at() const { return full_at_; }

private:
    TimePoint full_at_ = TimePoint::min();
};

}  // namespace chatx::engine
