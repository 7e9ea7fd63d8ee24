#pragma once

#include <chatx/entropy.h>
#include <chatx/errors.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "engine/telemetry.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::engine {

/// Which adapter a delivery feeds.
enum class DeliveryTarget : std::uint8_t { persistence, notifier };

/// `persistence` or `notifier`: static text, fit for a label.
std::string_view to_text(DeliveryTarget target);

/// The target of that name, if there is one.
std::optional<DeliveryTarget> delivery_target_from_text(std::string_view text);

/// Hand these to the adapter, then call `Delivery::on_result` with the number. Each attempt has a
/// number of its own.
struct SaveBatch {
    std::uint64_t number = 0;
    std::vector<MessagePtr> messages;  // Of several rooms; those of one room in their order.

    bool operator==(const SaveBatch&) const = default;
};

/// Keep these as dead letters. What follows in the same list of actions takes them as kept.
struct GiveUp {
    std::vector<MessagePtr> messages;
    Error error;                 // Of the last attempt; `queue_overflow` when there was none.
    std::uint32_t attempts = 0;  // How often the adapter was asked; 0 when the queue was full.

    bool operator==(const GiveUp&) const = default;
};

/// How far rooms are done: everything up to `seq` that was enqueued is stored by the adapter or
/// given up.
struct Archived {
    struct Progress {
        RoomId room;
        Seq seq;
        bool operator==(const Progress&) const = default;
    };

    std::vector<Progress> rooms;  // Each room once, in order of their names.

    bool operator==(const Archived&) const = default;
};

using DeliveryAction = std::variant<SaveBatch, GiveUp, Archived, Event>;
using DeliveryActions = std::vector<DeliveryAction>;

/// Carries committed messages to one adapter, behind the back of the rooms.
///
/// Messages wait in one queue and leave in its order, so each room keeps its own. A batch goes out
/// when it is full, when its first message has waited for a tick, or at once while draining; only
/// one is with the adapter at a time. A batch that fails is tried again, whole, after a random part
/// of `retry_base` x 2^(n-1) ("full jitter", M. Brooker 2015); after the last retry its messages
/// become dead letters and delivery goes on behind them. Every message enqueued ends in exactly one
/// of: a batch that succeeded, a `GiveUp`.
///
/// A plain state machine: the owner does what the actions say, in their order, and tells what came
/// of each batch. An adapter that does not answer in time is the owner's to give up on: it reports
/// that as an error. Lives on one loop.
class Delivery {
public:
    struct Options {
        DeliveryTarget target = DeliveryTarget::persistence;
        std::size_t batch_size = 100;  // Messages; at least 1.
        Duration tick = std::chrono::milliseconds(100);
        std::uint32_t max_retries = 5;  // After the first attempt.
        Duration retry_base = std::chrono::milliseconds(100);
        Duration retry_cap = std::chrono::seconds(30);
        std::size_t queue_max =
            65'536;  // Messages that wait or are with the adapter. Beyond: `GiveUp`, counted.
    };

    /// `entropy` draws the jitter and outlives the delivery.
    Delivery(Options options, Entropy& entropy);
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;
    ~Delivery() = default;

    /// Takes a committed message. Those of one room come in the order of their seq.
    [[nodiscard]] DeliveryActions enqueue(MessagePtr message, TimePoint now);

    /// What came of a batch. Numbers that are not waited for are ignored.
    [[nodiscard]] DeliveryActions on_result(
        std::uint64_t number, const Result<Done>& result, TimePoint now);

    /// Lets time pass.
    [[nodiscard]] DeliveryActions tick(TimePoint now);

    /// From now on nothing waits for a batch to fill; retries keep their pauses. For a node that
    /// stops.
    [[nodiscard]] DeliveryActions drain(TimePoint now);

    /// When `tick` has something to do next; nothing before that changes.
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    /// Nothing waits and nothing is with the adapter.
    [[nodiscard]] bool idle() const { return waiting_.empty() && !batch_; }

    /// Messages that wait or are with the adapter.
    [[nodiscard]] std::size_t size() const;

private:
    struct Waiting {
        MessagePtr message;
        TimePoint since;
    };

    struct Batch {
        std::uint64_t number;
        std::vector<MessagePtr> messages;
        std::uint32_t attempts;             // Made, the present one included.
        std::optional<TimePoint> retry_at;  // Set while the batch pauses between two attempts.
    };

    struct RoomQueue {
        std::size_t messages = 0;  // In the queue and in the batch.
        Seq overflowed;            // The last one that found the queue full.
    };

    void refuse(const MessagePtr& message, DeliveryActions& actions);
    void start_batch(TimePoint now, DeliveryActions& actions);
    void attempt(DeliveryActions& actions);
    void pause(TimePoint now, DeliveryActions& actions);
    void give_up(
        std::vector<MessagePtr> messages,
        Error error,
        std::uint32_t attempts,
        DeliveryActions& actions);
    [[nodiscard]] bool batch_due(TimePoint now) const;
    [[nodiscard]] Archived progress(const std::vector<MessagePtr>& messages);
    [[nodiscard]] Event event(Metric metric, std::uint64_t value = 1) const;

    Options options_;
    Entropy& entropy_;
    std::deque<Waiting> waiting_;
    std::optional<Batch> batch_;
    std::map<RoomId, RoomQueue>
        rooms_;  // Those with messages here. Ordered: users choose the names.
    std::uint64_t last_number_ = 0;
    bool draining_ = false;
};

}  // namespace chatx::engine
