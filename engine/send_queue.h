#pragma once

#include <chatx/adapters.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include "engine/actions.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace chatx::engine {

/// The sends of one room between arrival and commit, in order of arrival: they wait for checks,
/// then for their turn, then to be applied. A place in it is the number of the arrival.
///
/// Keeps the deadlines of checks and of answers; what a deadline means is the room's affair. As
/// many sends as its owner adds. Lives on one loop.
class SendQueue {
public:
    using Place = std::uint64_t;

    /// Somebody who waits for the answer: the sender, or its own retry.
    struct Asker {
        ReplyTo to;
        TimePoint deadline;
    };

    struct Entry {
        Draft draft;
        TimePoint arrived_at;
        std::vector<Asker> askers;    // The sender first, then its retries, so by deadline.
        std::size_t stage = 0;        // The first stage of the chain that it has not passed.
        bool checked = false;         // It passed all.
        std::optional<Ticket> check;  // The one that runs.
        MessagePtr message;           // Set when it is proposed.
    };

    /// Adds a send at the end.
    Place add(Entry entry);

    /// The send at a place that is in use.
    [[nodiscard]] Entry& at(Place place) { return entries_.at(place); }

    [[nodiscard]] const Entry& at(Place place) const { return entries_.at(place); }

    /// One more waits for the answer of the send at `place`.
    void add_asker(Place place, const Asker& asker);

    /// A check of the send at `place` runs until answered or due.
    void begin_check(Place place, Ticket ticket, TimePoint deadline);

    /// The place whose check this was; nothing when nobody waits for it any more.
    std::optional<Place> end_check(Ticket ticket);

    /// The first send that is not proposed, if its checks are through.
    [[nodiscard]] std::optional<Place> next_to_propose() const;

    /// The send at `next_to_propose()` is proposed as this message.
    void propose(Place place, MessagePtr message);

    /// The first send, if it is proposed.
    [[nodiscard]] std::optional<Place> first_proposed() const;

    /// Takes a send out; its check, if any, is no longer waited for.
    Entry remove(Place place);

    /// A check whose deadline has come, the oldest first.
    [[nodiscard]] std::optional<Ticket> due_check(TimePoint now) const;

    /// A place where somebody's deadline has come, in order of deadline.
    [[nodiscard]] std::optional<Place> due_asker(TimePoint now) const;

    /// Takes out those askers of a place whose deadline has come.
    std::vector<ReplyTo> take_due_askers(Place place, TimePoint now);

    /// The earliest deadline of a check or an asker.
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    /// When the first send arrived, if there is one.
    [[nodiscard]] std::optional<TimePoint> oldest_arrival() const;

    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Check {
        Place place;
        TimePoint deadline;
    };

    std::map<Place, Entry> entries_;
    Place last_place_ = 0;
    Place last_proposed_ = 0;  // Entries up to here are proposed.
    std::map<Ticket, Check> checks_;
    std::set<std::pair<TimePoint, Ticket>> check_deadlines_;
    std::set<std::pair<TimePoint, Place>> asker_deadlines_;
};

}  // namespace chatx::engine
