#include <chatx/assert.h>
#include <chatx/ids.h>

#include "proto/utf8.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace chatx {

namespace {

// The bits of a MessageId, from the bottom: counter, node, millisecond.
constexpr unsigned counter_bits = 7;
constexpr unsigned node_bits = 16;
constexpr unsigned millisecond_bits = 41;
constexpr std::uint64_t counter_end = 1U << counter_bits;
constexpr std::uint64_t node_end = 1U << node_bits;
constexpr std::uint64_t millisecond_end = std::uint64_t{1} << millisecond_bits;

constexpr std::uint64_t epoch_2025_ms = 1'735'689'600'000;

// In 2094. A clock or an id beyond it is not followed, so that nonsense from outside leaves a day's
// worth of ids.
constexpr std::uint64_t millisecond_followed_max = millisecond_end - 24ULL * 60 * 60 * 1000;

std::uint64_t milliseconds_since_2025(WallTime time) {
    const auto since_1970 = time.time_since_epoch().count();
    if (since_1970 < static_cast<std::int64_t>(epoch_2025_ms)) return 0;
    return std::min(
        static_cast<std::uint64_t>(since_1970) - epoch_2025_ms, millisecond_followed_max);
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, int base) {
    Number number{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, base);
    if (error != std::errc() || stop != end) return std::nullopt;
    return number;
}

// Room for a 64-bit number in base 10 or 16.
struct NumberText {
    std::array<char, 20> digits;
    std::size_t size;

    NumberText(std::uint64_t number, int base) {
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base);
        size = static_cast<std::size_t>(end.ptr - digits.data());
    }

    [[nodiscard]] std::string_view view() const { return {digits.data(), size}; }
};

}  // namespace

template <class Rules>
Result<TextId<Rules>> TextId<Rules>::parse(std::string_view text) {
    if (text.empty()) return Error{Rules::reason, "it is empty", {}};
    if (text.size() > size_max) {
        return Error{
            Rules::reason,
            "it has " + std::to_string(text.size()) + " bytes, " + std::to_string(size_max)
                + " are allowed",
            {}};
    }
    if (!proto::is_utf8(text)) return Error{Reason::invalid_utf8, "it is not valid UTF-8", {}};
    if (const auto at = proto::find_control(text)) {
        return Error{Rules::reason, "byte " + std::to_string(*at) + " is a control character", {}};
    }
    return TextId(text);
}

template class TextId<RoomIdRules>;
template class TextId<UserIdRules>;

std::string to_text(MessageId id) {
    return std::string(NumberText(id.value, 10).view());
}

std::optional<MessageId> parse_message_id(std::string_view text) {
    if (text.size() > 20) return std::nullopt;
    const auto value = parse_number<std::uint64_t>(text, 10);
    if (!value) return std::nullopt;
    return MessageId{*value};
}

std::string to_text(Epoch epoch) {
    std::string text;
    text += NumberText(epoch.lineage, 16).view();
    text += '-';
    text += NumberText(epoch.counter, 16).view();
    text += '-';
    text += NumberText(epoch.node, 16).view();
    return text;
}

std::optional<Epoch> parse_epoch(std::string_view text) {
    const auto first = text.find('-');
    const auto last = text.rfind('-');
    if (first == std::string_view::npos || first == last) return std::nullopt;
    const auto lineage = parse_number<std::uint32_t>(text.substr(0, first), 16);
    const auto counter = parse_number<std::uint64_t>(text.substr(first + 1, last - first - 1), 16);
    const auto node = parse_number<std::uint16_t>(text.substr(last + 1), 16);
    if (!lineage || !counter || !node) return std::nullopt;
    const Epoch epoch{*lineage, *counter, *node};
    if (to_text(epoch) != text)
        return std::nullopt;  // One epoch, one text: no capitals, no leading zeros.
    return epoch;
}

MessageIdClock::MessageIdClock(Options options) : options_(options), counter_(options.lane) {
    CHATX_ASSERT(options.lanes >= 1 && options.lanes <= counter_end);
    CHATX_ASSERT(options.lane < options.lanes);
}

MessageId MessageIdClock::next(WallTime now) {
    const auto wall = milliseconds_since_2025(now);
    if (wall > millisecond_) {
        millisecond_ = wall;
        counter_ = options_.lane;
    } else if (counter_ >= counter_end) {
        ++millisecond_;
        counter_ = options_.lane;
    }
    CHATX_ASSERT(millisecond_ < millisecond_end);
    const auto count = counter_;
    counter_ += options_.lanes;
    return MessageId{(((millisecond_ << node_bits) | options_.node) << counter_bits) | count};
}

void MessageIdClock::raise_above(MessageId id) {
    const auto count = id.value % counter_end;
    const auto node = (id.value >> counter_bits) % node_end;
    const auto millisecond = id.value >> (counter_bits + node_bits);
    if (millisecond < millisecond_ || millisecond > millisecond_followed_max) return;
    if (millisecond > millisecond_) {
        millisecond_ = millisecond;
        counter_ = options_.lane;
    }
    if (node > options_.node) {
        counter_ =
            counter_end;  // Nothing of this millisecond is larger: `next` goes on to the one after.
    } else if (node == options_.node && counter_ <= count) {
        counter_ += ((count - counter_) / options_.lanes + 1) * options_.lanes;
    }
}

}  // namespace chatx
