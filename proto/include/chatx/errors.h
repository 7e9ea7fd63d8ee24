#pragma once

#include <chatx/time.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace chatx {

/// Why a request was refused. A closed set, stable on the wire: clients match the texts.
enum class Reason : std::uint8_t {
    invalid_room_id,
    invalid_user_id,
    invalid_content,
    invalid_utf8,
    message_too_large,
    unauthorized,
    rate_limited,
    blocked,
    queue_overflow,
    adapter_error,
    muted,
    banned,
    slow_mode,
    read_only,
    too_many_joins,
    too_many_connections,
    room_unavailable,
    no_quorum,
    timeout,  // The outcome is unknown: the request may still take effect.
    shutting_down,
};

/// How many reasons there are; they count from 0.
inline constexpr std::size_t reason_count = static_cast<std::size_t>(Reason::shutting_down) + 1;

/// A reason explained to a person, one sentence each.
struct ReasonInfo {
    Reason reason;
    std::string_view text;  // The name on the wire.
    std::string_view cause;
    std::string_view remedy;
};

/// All reasons in the order of the enum. Static data, any thread.
std::span<const ReasonInfo> all_reasons();

/// The name of a reason on the wire, such as `queue_overflow`.
std::string_view to_text(Reason reason);

/// The reason of that name, if there is one.
std::optional<Reason> reason_from_text(std::string_view text);

/// A refusal: the reason for programs, a detail for people, and when another try makes sense.
struct Error {
    Reason reason = Reason::adapter_error;
    std::string detail;                   // May be empty. Never repeats content, tokens or keys.
    std::optional<Duration> retry_after;  // Set where waiting helps.

    bool operator==(const Error&) const = default;
};

}  // namespace chatx
