#pragma once

#include <chatx/time.h>

#include "engine/actions.h"
#include "engine/presence.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace chatx::engine {

/// What the members of a room are told of its presence. Telling everybody of everybody costs the
/// square of their number, so a room that grows tells less: first each change at once, then the
/// changes of a while together, in the end only how many are there.
///
/// What a member is told adds up: `snapshot` when it comes, and every difference after that, with
/// no change in both. Lives on one loop.
class PresenceFeed {
public:
    struct Options {
        std::size_t batch_from = 100;  // From this many visible members changes are gathered.
        Duration batch_interval = std::chrono::milliseconds(500);
        std::size_t count_from = 1000;  // From this many only their number is told.
        Duration count_interval = std::chrono::seconds(1);
    };

    /// What is told to all members at once.
    using News = std::variant<PresenceDiff, PresenceState, Occupancy>;

    explicit PresenceFeed(const Options& options) : options_(options) {}

    /// `presence` has just changed by `diff`. Returns what is to be told now.
    ///
    /// A room that becomes too large for a list tells an empty one, so that nobody looks at an old
    /// one, and its count. It comes back to lists, with a whole one for all, when it is small
    /// enough for each change to be told at once.
    [[nodiscard]] std::vector<News> changed(
        const Presence& presence, PresenceDiff diff, TimePoint now);

    /// Lets time pass: returns what was gathered, once it is due.
    [[nodiscard]] std::vector<News> tick(const Presence& presence, TimePoint now);

    /// When `tick` has something to tell.
    [[nodiscard]] std::optional<TimePoint> deadline() const { return due_; }

    /// The list that a member is given that comes now: everything that the others were told. Empty
    /// while only the number is told.
    [[nodiscard]] std::shared_ptr<const PresenceMap> snapshot(const Presence& presence) const;

    /// Only the number is told.
    [[nodiscard]] bool counts() const { return mode_ == Mode::count; }

private:
    enum class Mode : std::uint8_t { each, batch, count };

    [[nodiscard]] Mode mode_for(std::size_t members) const;
    std::vector<News> switch_to(Mode mode, const Presence& presence, PresenceDiff diff);
    void gather(PresenceDiff diff);

    const Options& options_;
    Mode mode_ = Mode::each;
    std::shared_ptr<const PresenceMap> told_;  // With `batch`: what the members know.
    PresenceDiff gathered_;                    // With `batch`: what they do not know yet.
    std::optional<TimePoint> due_;
};

}  // namespace chatx::engine
