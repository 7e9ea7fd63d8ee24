#pragma once

#include <chatx/errors.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chatx::engine {

/// What can be counted. The first seven keep the names of the original.
enum class Metric : std::uint8_t {
    message_sent,
    room_join,
    room_leave,
    broadcast,
    queue_size,  // A gauge: value is the length of the queue after a change.
    queue_overflow,
    rate_limit_hit,
    rejected,          // By `reason`.
    adapter_error,     // By `label`: auth, moderation, persistence, notifier or middleware.
    adapter_timeout,   // Likewise.
    delivery_success,  // Value: messages.
    delivery_retry,
    delivery_give_up,  // Value: messages that became dead letters.
    dedupe_hit,
    room_opened,
    room_closed,
    room_crashed,  // It threw, and was ended for that.
};

inline constexpr std::size_t metric_count = static_cast<std::size_t>(Metric::room_crashed) + 1;

/// The name of a metric, such as `message_sent`.
std::string_view to_text(Metric metric);

/// One thing that happened. No field carries what a user wrote: labels come from fixed sets.
struct Event {
    Metric metric;
    std::uint64_t value = 1;
    Reason reason{};           // Meaningful with `rejected`.
    std::string_view label{};  // Static text; empty where the metric has none.

    bool operator==(const Event&) const = default;
};

}  // namespace chatx::engine
