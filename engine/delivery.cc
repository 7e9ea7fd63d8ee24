#include "engine/delivery.h"

#include <chatx/assert.h>

#include <algorithm>
#include <utility>

namespace chatx::engine {

namespace {

/// A random part of `base` x 2^(retry-1), of `cap` at most.
Duration jittered_pause(const Delivery::Options& options, std::uint32_t retry, Entropy& entropy) {
    Duration ceiling = std::min(options.retry_base, options.retry_cap);
    for (std::uint32_t doubled = 1; doubled < retry && ceiling < options.retry_cap; ++doubled) {
        ceiling = ceiling > options.retry_cap / 2 ? options.retry_cap : ceiling * 2;
    }
    return Duration(
        static_cast<Duration::rep>(entropy.below(static_cast<std::uint64_t>(ceiling.count()) + 1)));
}

}  // namespace

std::string_view to_text(DeliveryTarget target) {
    return target == DeliveryTarget::persistence ? "persistence" : "notifier";
}

std::optional<DeliveryTarget> delivery_target_from_text(std::string_view text) {
    for (auto target : {DeliveryTarget::persistence, DeliveryTarget::notifier}) {
        if (text == to_text(target)) return target;
    }
    return std::nullopt;
}

Delivery::Delivery(Options options, Entropy& entropy) : options_(options), entropy_(entropy) {
    CHATX_ASSERT(options_.batch_size > 0);
}

DeliveryActions Delivery::enqueue(MessagePtr message, TimePoint now) {
    DeliveryActions actions;
    if (size() >= options_.queue_max) {
        refuse(message, actions);
        return actions;
    }
    ++rooms_[message->room].messages;
    waiting_.push_back({std::move(message), now});
    start_batch(now, actions);
    return actions;
}

DeliveryActions Delivery::on_result(
    std::uint64_t number, const Result<Done>& result, TimePoint now) {
    DeliveryActions actions;
    if (!batch_ || batch_->number != number || batch_->retry_at) return actions;
    if (!result && batch_->attempts <= options_.max_retries) {
        pause(now, actions);
        return actions;
    }
    Batch batch = std::move(*batch_);
    batch_.reset();
    auto done = progress(batch.messages);
    if (result) {
        actions.emplace_back(event(Metric::delivery_success, batch.messages.size()));
    } else {
        give_up(std::move(batch.messages), result.error(), batch.attempts, actions);
    }
    actions.emplace_back(std::move(done));
    start_batch(now, actions);
    return actions;
}

DeliveryActions Delivery::tick(TimePoint now) {
    DeliveryActions actions;
    if (batch_ && batch_->retry_at && now >= *batch_->retry_at) attempt(actions);
    start_batch(now, actions);
    return actions;
}

DeliveryActions Delivery::drain(TimePoint now) {
    DeliveryActions actions;
    draining_ = true;
    start_batch(now, actions);
    return actions;
}

std::optional<TimePoint> Delivery::deadline() const {
    if (batch_) return batch_->retry_at;
    if (waiting_.empty()) return std::nullopt;
    return waiting_.front().since + options_.tick;
}

std::size_t Delivery::size() const {
    return waiting_.size() + (batch_ ? batch_->messages.size() : 0);
}

/// The earlier messages of the room may still be on their way: then its progress is told behind
/// them.
void Delivery::refuse(const MessagePtr& message, DeliveryActions& actions) {
    give_up(
        {message},
        {Reason::queue_overflow, "the delivery queue is full", std::nullopt},
        0,
        actions);
    const auto room = rooms_.find(message->room);
    if (room == rooms_.end()) {
        actions.emplace_back(Archived{{{message->room, message->seq}}});
    } else {
        room->second.overflowed = message->seq;
    }
}

void Delivery::start_batch(TimePoint now, DeliveryActions& actions) {
    if (!batch_due(now)) return;
    Batch batch{0, {}, 0, {}};
    while (!waiting_.empty() && batch.messages.size() < options_.batch_size) {
        batch.messages.push_back(std::move(waiting_.front().message));
        waiting_.pop_front();
    }
    batch_ = std::move(batch);
    attempt(actions);
}

void Delivery::attempt(DeliveryActions& actions) {
    batch_->number = ++last_number_;
    batch_->retry_at.reset();
    ++batch_->attempts;
    actions.emplace_back(SaveBatch{batch_->number, batch_->messages});
}

void Delivery::pause(TimePoint now, DeliveryActions& actions) {
    batch_->retry_at = now + jittered_pause(options_, batch_->attempts, entropy_);
    actions.emplace_back(event(Metric::delivery_retry));
}

void Delivery::give_up(
    std::vector<MessagePtr> messages,
    Error error,
    std::uint32_t attempts,
    DeliveryActions& actions) {
    actions.emplace_back(event(Metric::delivery_give_up, messages.size()));
    actions.emplace_back(GiveUp{std::move(messages), std::move(error), attempts});
}

bool Delivery::batch_due(TimePoint now) const {
    if (batch_ || waiting_.empty()) return false;
    return draining_ || waiting_.size() >= options_.batch_size
           || now >= waiting_.front().since + options_.tick;
}

Archived Delivery::progress(const std::vector<MessagePtr>& messages) {
    std::map<RoomId, Seq> done;
    for (const auto& message : messages) {
        const auto room = rooms_.find(message->room);
        auto& seq = done[message->room];
        seq = std::max(seq, message->seq);
        if (--room->second.messages > 0) continue;
        seq = std::max(seq, room->second.overflowed);
        rooms_.erase(room);
    }
    Archived archived;
    for (const auto& [room, seq] : done)
        archived.rooms.push_back({room, seq});
    return archived;
}

Event Delivery::event(Metric metric, std::uint64_t value) const {
    return Event{metric, value, {}, to_text(options_.target)};
}

}  // namespace chatx::engine
