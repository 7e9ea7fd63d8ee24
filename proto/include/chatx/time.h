#pragma once

#include <chrono>

namespace chatx {

/// Every span of time below `node/`.
using Duration = std::chrono::nanoseconds;

/// A clock that never goes back and has no `now()`: whoever drives a core passes the time in.
struct Monotonic {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Monotonic>;
    static constexpr bool is_steady = true;
};

/// For deadlines and rates. Its zero means nothing; only differences do.
using TimePoint = Monotonic::time_point;

/// Milliseconds since 1970-01-01 UTC, leap seconds left out. May jump: never measure with it.
struct Wall {
    using duration = std::chrono::milliseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Wall>;
    static constexpr bool is_steady = false;
};

/// What people read as a date: `inserted_at` and log lines.
using WallTime = Wall::time_point;

}  // namespace chatx
