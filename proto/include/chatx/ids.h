#pragma once

#include <chatx/result.h>
#include <chatx/time.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace chatx {

/// Names a message: 64 bits, unique in the cluster, growing with time inside a room. JSON carries
/// it as a string, since browsers lose integers above 2^53. Bits from the top: 41 of milliseconds
/// since 2025-01-01 UTC, 16 of node index, 7 of counter (the layout of Twitter's Snowflake, 2010,
/// with other widths).
struct MessageId {
    std::uint64_t value = 0;
    auto operator<=>(const MessageId&) const = default;
};

/// Place of a message in its room: dense, from 1. 0 is the place before the first message.
struct Seq {
    std::uint64_t value = 0;
    auto operator<=>(const Seq&) const = default;

    [[nodiscard]] Seq next() const { return Seq{value + 1}; }
};

/// One reign over a room: (epoch, seq) is never used twice, also not after a crash. Opaque to
/// clients. Compared lineage first, then counter, then the claimant's node index.
struct Epoch {
    std::uint32_t lineage = 0;
    std::uint64_t counter = 0;
    std::uint16_t node = 0;
    auto operator<=>(const Epoch&) const = default;
};

/// A checked text that can only be made by `parse`, so that whoever holds one need not check again.
/// `Rules` gives `size_max` (bytes) and `reason` (what a bad text is refused with).
template <class Rules>
class TextId {
public:
    static constexpr std::size_t size_max = Rules::size_max;

    /// Accepts 1 to `size_max` bytes of UTF-8 without control characters (C0, DEL, C1).
    [[nodiscard]] static Result<TextId> parse(std::string_view text);

    [[nodiscard]] const std::string& text() const { return text_; }

    auto operator<=>(const TextId&) const = default;

private:
    explicit TextId(std::string_view text) : text_(text) {}

    std::string text_;
};

struct RoomIdRules {
    static constexpr std::size_t size_max = 250;  // `room:` and the id fit a topic of 255 bytes.
    static constexpr Reason reason = Reason::invalid_room_id;
};

struct UserIdRules {
    static constexpr std::size_t size_max = 255;
    static constexpr Reason reason = Reason::invalid_user_id;
};

/// Names a room, 1 to 250 bytes.
using RoomId = TextId<RoomIdRules>;

/// Names a user, 1 to 255 bytes.
using UserId = TextId<UserIdRules>;

extern template class TextId<RoomIdRules>;
extern template class TextId<UserIdRules>;

/// The decimal text of an id as clients see it, and back. `parse_message_id` takes 1 to 20 digits
/// and nothing else.
std::string to_text(MessageId id);
std::optional<MessageId> parse_message_id(std::string_view text);

/// The text of an epoch, `lineage-counter-node` in lower-case hexadecimal, and back.
std::string to_text(Epoch epoch);
std::optional<Epoch> parse_epoch(std::string_view text);

/// Draws message ids from a hybrid clock (Kulkarni et al., 2014): never two the same, never back,
/// ahead of the wall clock only while more ids are drawn than a millisecond holds. A node runs
/// several, each on a loop of its own, that share the counter by residue: lane i of n takes the
/// values that leave i when divided by n.
class MessageIdClock {
public:
    struct Options {
        std::uint16_t node = 0;
        std::uint16_t lane = 0;   // Below `lanes`.
        std::uint16_t lanes = 1;  // 1 to 128.
    };

    explicit MessageIdClock(Options options);

    /// The next id; larger than every id given or told before.
    [[nodiscard]] MessageId next(WallTime now);

    /// Tells of an id that was given elsewhere, so that the next one is larger.
    void raise_above(MessageId id);

private:
    Options options_;
    std::uint64_t millisecond_ = 0;
    std::uint64_t counter_;
};

}  // namespace chatx

template <class Rules>
struct std::hash<chatx::TextId<Rules>> {
    std::size_t operator()(const chatx::TextId<Rules>& id) const noexcept {
        return std::hash<std::string>()(id.text());
    }
};
