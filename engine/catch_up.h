#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>

#include "engine/actions.h"
#include "engine/history.h"

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace chatx::engine {

/// Finds what a subscriber missed: from the point where it stopped reading, oldest first, when that
/// point is on the room's line and all since then can be had; else the latest messages. Reads the
/// archive once or twice when the ring does not reach back far enough. A value, for one join.
class CatchUp {
public:
    /// Latest messages for a subscriber that named a point it cannot be helped from, and did not
    /// say how many.
    static constexpr std::uint32_t history_default = 50;

    /// What the subscriber is told, true for the head at the time of the call that returned it.
    struct Found {
        std::vector<MessagePtr>
            messages;            // Dense. When nothing more is behind, it ends at the head.
        bool recovered = false;  // Nothing is missing between the point and `messages`.
        bool more = false;       // Only with `recovered`: the rest is behind `messages`.
    };

    /// Done, or load this range first.
    using Next = std::variant<Found, HistoryRange>;

    explicit CatchUp(const Resume& resume);

    /// Called once.
    Next begin(const History& history);

    /// The archive's answer, which is plausible.
    Next on_loaded(const History& history, HistoryPage page);

    /// The archive could not be read: what the ring has, not recovered.
    [[nodiscard]] Found on_failed(const History& history) const;

private:
    [[nodiscard]] std::optional<HistoryRange> range_of_missed(const History& history) const;
    Next begin_latest(const History& history);
    Next judge_missed(const History& history, HistoryPage page);

    Resume resume_;
    std::uint32_t latest_;  // How many messages if not recovered.
    bool missed_ = false;   // `read_` is for what was missed, not for the latest.
    PendingRead read_;
};

}  // namespace chatx::engine
