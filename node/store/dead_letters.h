#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "engine/delivery.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace chatx::node {

/// A message that an adapter did not take, kept until an operator replays or removes it.
struct DeadLetter {
    std::uint64_t id = 0;  // Given by the store: from 1, growing, never used again.
    engine::DeliveryTarget target = engine::DeliveryTarget::persistence;
    std::optional<UserId> user;  // Who should have been told; the notifier's letters have one.
    MessagePtr message;
    std::string error;           // What the adapter said last.
    std::uint32_t attempts = 0;  // 0: it was never asked.
    WallTime failed_at;
};

/// Most letters in one answer of `list`.
inline constexpr std::size_t dead_letter_page_max = 1000;

/// Keeps dead letters. Bounded: a full store takes no more, since the oldest are the operator's to
/// decide on.
///
/// Threads: `add` and `remove` are called by one thread at a time, the rest by any.
class DeadLetters {
public:
    DeadLetters() = default;
    DeadLetters(const DeadLetters&) = delete;
    DeadLetters& operator=(const DeadLetters&) = delete;
    virtual ~DeadLetters() = default;

    /// Stores letters, ignoring their ids, and returns how many: the first ones that there was room
    /// for. Durable on return. The others are the caller's to count and to log.
    virtual Result<std::size_t> add(std::span<const DeadLetter> letters) = 0;

    /// Letters with ids above `after`, in order; at most `dead_letter_page_max`.
    virtual Result<std::vector<DeadLetter>> list(std::uint64_t after, std::size_t limit) = 0;

    virtual Result<std::optional<DeadLetter>> find(std::uint64_t id) = 0;

    /// Removing what is not there is no error.
    virtual Result<Done> remove(std::uint64_t id) = 0;

    virtual Result<std::size_t> count() = 0;
};

}  // namespace chatx::node
