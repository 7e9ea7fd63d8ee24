#include "engine/telemetry.h"

#include <array>

namespace chatx::engine {

namespace {

constexpr std::array<std::string_view, metric_count> names = {
    "message_sent",
    "room_join",
    "room_leave",
    "broadcast",
    "queue_size",
    "queue_overflow",
    "rate_limit_hit",
    "rejected",
    "adapter_error",
    "adapter_timeout",
    "delivery_success",
    "delivery_retry",
    "delivery_give_up",
    "dedupe_hit",
    "room_opened",
    "room_closed",
    "room_crashed",
};

}  // namespace

std::string_view to_text(Metric metric) {
    return names.at(static_cast<std::size_t>(metric));
}

}  // namespace chatx::engine
