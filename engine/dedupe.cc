#include "engine/dedupe.h"

#include <utility>

namespace chatx::engine {

const Dedupe::Entry* Dedupe::find(const Key& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
}

bool Dedupe::begin(Key key, std::uint64_t place) {
    if (full()) return false;
    return entries_.try_emplace(std::move(key), Pending{place}).second;
}

void Dedupe::complete(const Key& key, const SendReply& reply, TimePoint now) {
    auto entry = entries_.find(key);
    if (entry == entries_.end()) {
        if (full()) return;
        entry = entries_.emplace(key, Pending{}).first;
    }
    if (std::holds_alternative<SendReply>(entry->second)) return;
    entry->second = reply;
    completed_.push_back({now, entry});
}

void Dedupe::abandon(const Key& key) {
    const auto found = entries_.find(key);
    if (found != entries_.end() && std::holds_alternative<Pending>(found->second)) {
        entries_.erase(found);
    }
}

void Dedupe::expire(TimePoint now) {
    while (!completed_.empty() && completed_.front().at + options_.window <= now) {
        entries_.erase(completed_.front().entry);
        completed_.pop_front();
    }
}

std::optional<TimePoint> Dedupe::first_expiry() const {
    if (completed_.empty()) return std::nullopt;
    return completed_.front().at + options_.window;
}

std::optional<TimePoint> Dedupe::last_expiry() const {
    if (completed_.empty()) return std::nullopt;
    return completed_.back().at + options_.window;
}

std::optional<Seq> Dedupe::oldest_seq() const {
    if (completed_.empty()) return std::nullopt;
    return std::get<SendReply>(completed_.front().entry->second).seq;
}

SendReply reply_of(const Message& message) {
    return {message.id, message.epoch, message.seq, message.inserted_at};
}

std::optional<Dedupe::Applied> applied_send(const Message& message) {
    if (message.client_id.empty()) return std::nullopt;
    return Dedupe::Applied{{message.user, message.client_id}, reply_of(message)};
}

}  // namespace chatx::engine
