#include "engine/send_queue.h"

#include <chatx/assert.h>

#include <algorithm>

namespace chatx::engine {

SendQueue::Place SendQueue::add(Entry entry) {
    const Place place = ++last_place_;
    for (const auto& asker : entry.askers)
        asker_deadlines_.emplace(asker.deadline, place);
    entries_.emplace(place, std::move(entry));
    return place;
}

void SendQueue::add_asker(Place place, const Asker& asker) {
    entries_.at(place).askers.push_back(asker);
    asker_deadlines_.emplace(asker.deadline, place);
}

void SendQueue::begin_check(Place place, Ticket ticket, TimePoint deadline) {
    entries_.at(place).check = ticket;
    checks_.emplace(ticket, Check{place, deadline});
    check_deadlines_.emplace(deadline, ticket);
}

std::optional<SendQueue::Place> SendQueue::end_check(Ticket ticket) {
    const auto found = checks_.find(ticket);
    if (found == checks_.end()) return std::nullopt;
    const auto [place, deadline] = found->second;
    check_deadlines_.erase({deadline, ticket});
    checks_.erase(found);
    entries_.at(place).check.reset();
    return place;
}

std::optional<SendQueue::Place> SendQueue::next_to_propose() const {
    const auto next = entries_.upper_bound(last_proposed_);
    if (next == entries_.end() || !next->second.checked) return std::nullopt;
    return next->first;
}

void SendQueue::propose(Place place, MessagePtr message) {
    CHATX_ASSERT(next_to_propose() == place);
    entries_.at(place).message = std::move(message);
    last_proposed_ = place;
}

std::optional<SendQueue::Place> SendQueue::first_proposed() const {
    if (entries_.empty() || entries_.begin()->first > last_proposed_) return std::nullopt;
    return entries_.begin()->first;
}

SendQueue::Entry SendQueue::remove(Place place) {
    const auto found = entries_.find(place);
    CHATX_ASSERT(found != entries_.end());
    if (found->second.check) end_check(*found->second.check);
    Entry entry = std::move(found->second);
    for (const auto& asker : entry.askers)
        asker_deadlines_.erase({asker.deadline, place});
    entries_.erase(found);
    return entry;
}

std::optional<Ticket> SendQueue::due_check(TimePoint now) const {
    if (check_deadlines_.empty() || check_deadlines_.begin()->first > now) return std::nullopt;
    return check_deadlines_.begin()->second;
}

std::optional<SendQueue::Place> SendQueue::due_asker(TimePoint now) const {
    if (asker_deadlines_.empty() || asker_deadlines_.begin()->first > now) return std::nullopt;
    return asker_deadlines_.begin()->second;
}

std::vector<ReplyTo> SendQueue::take_due_askers(Place place, TimePoint now) {
    std::vector<ReplyTo> due;
    std::erase_if(entries_.at(place).askers, [&](const Asker& asker) {
        if (asker.deadline > now) return false;
        asker_deadlines_.erase({asker.deadline, place});
        due.push_back(asker.to);
        return true;
    });
    return due;
}

std::optional<TimePoint> SendQueue::deadline() const {
    std::optional<TimePoint> earliest;
    if (!check_deadlines_.empty()) earliest = check_deadlines_.begin()->first;
    if (!asker_deadlines_.empty()) {
        const TimePoint asker = asker_deadlines_.begin()->first;
        earliest = earliest ? std::min(*earliest, asker) : asker;
    }
    return earliest;
}

std::optional<TimePoint> SendQueue::oldest_arrival() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.begin()->second.arrived_at;
}

}  // namespace chatx::engine
