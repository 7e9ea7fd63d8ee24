#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include "engine/actions.h"

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>

namespace chatx::engine {

/// What one room remembers of sends that carry a `client_id`, so that a retry never makes two
/// messages: first the place of the send in the queue, then, for a while after it was applied, its
/// reply.
///
/// The time counts from `complete` on the monotonic clock. Lives on one loop.
class Dedupe {
public:
    struct Options {
        Duration window = std::chrono::minutes(10);
        std::size_t entries_max =
            65'536;  // Pending ones included. Beyond it sends with a `client_id` are refused.
        std::size_t waiters_max =
            16;  // Retries that wait for one pending send; further ones are refused.
    };

    struct Key {
        UserId user;
        std::string client_id;  // Not empty.
        auto operator<=>(const Key&) const = default;
    };

    /// A send that is still in the queue.
    struct Pending {
        std::uint64_t place = 0;
        bool operator==(const Pending&) const = default;
    };

    using Entry = std::variant<Pending, SendReply>;

    /// A send that was applied, and what its sender was told.
    struct Applied {
        Key key;
        SendReply reply;
        bool operator==(const Applied&) const = default;
    };

    explicit Dedupe(const Options& options) : options_(options) {}

    /// What is known of a key; null when nothing is. Valid until the next change.
    [[nodiscard]] const Entry* find(const Key& key) const;

    [[nodiscard]] bool full() const { return entries_.size() >= options_.entries_max; }

    /// Notes a send that entered the queue. False, and nothing noted, when the key is known or
    /// `full`.
    bool begin(Key key, std::uint64_t place);

    /// The send was applied. A key that was not begun here is noted too, unless `full`.
    void complete(const Key& key, const SendReply& reply, TimePoint now);

    /// The send failed: another try starts anew. A completed entry stays.
    void abandon(const Key& key);

    /// Forgets what was completed a `window` ago or earlier.
    void expire(TimePoint now);

    /// When the oldest and the newest completed entry are forgotten, if there are any.
    [[nodiscard]] std::optional<TimePoint> first_expiry() const;
    [[nodiscard]] std::optional<TimePoint> last_expiry() const;

    /// The smallest seq among the completed entries.
    [[nodiscard]] std::optional<Seq> oldest_seq() const;

    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    using Entries = std::map<Key, Entry>;  // Ordered: nobody can choose keys that collide.

    struct Completed {
        TimePoint at;
        Entries::iterator entry;
    };

    Options options_;
    Entries entries_;
    std::deque<Completed> completed_;  // Oldest first.
};

/// What the sender of an applied message is told.
[[nodiscard]] SendReply reply_of(const Message& message);

/// What is remembered of an applied message: nothing when it came without `client_id`.
[[nodiscard]] std::optional<Dedupe::Applied> applied_send(const Message& message);

}  // namespace chatx::engine
