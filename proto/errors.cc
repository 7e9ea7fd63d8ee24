#include <chatx/assert.h>
#include <chatx/errors.h>

#include <algorithm>
#include <array>

namespace chatx {

namespace {

constexpr std::array<ReasonInfo, reason_count> reasons{{
    {Reason::invalid_room_id,
     "invalid_room_id",
     "The room id is empty, longer than 250 bytes or has control characters.",
     "Name rooms with 1 to 250 bytes of UTF-8 without control characters."},
    {Reason::invalid_user_id,
     "invalid_user_id",
     "The user id is empty, longer than 255 bytes or has control characters.",
     "Name users with 1 to 255 bytes of UTF-8 without control characters."},
    {Reason::invalid_content,
     "invalid_content",
     "The request lacks a field, or a field has the wrong type or shape.",
     "Send the fields that the event asks for; a message needs a text `content` that is not "
     "empty."},
    {Reason::invalid_utf8,
     "invalid_utf8",
     "A text is not valid UTF-8, or holds half of a surrogate pair.",
     "Encode texts as UTF-8, and cut strings between characters."},
    {Reason::message_too_large,
     "message_too_large",
     "The content has more bytes than `message_size_limit`.",
     "Send a shorter message or several, or raise `message_size_limit`."},
    {Reason::unauthorized,
     "unauthorized",
     "The auth adapter does not allow this user to do this in this room.",
     "Check the user's token and its rules for the room, or sign in again."},
    {Reason::rate_limited,
     "rate_limited",
     "The user or the connection sends faster than its rate limit.",
     "Wait `retry_after_ms` and try again, or raise `rate_limit`."},
    {Reason::blocked,
     "blocked",
     "Moderation or a middleware turned the message down.",
     "Change the message; operators find the rule in the moderation settings."},
    {Reason::queue_overflow,
     "queue_overflow",
     "More sends wait in the room than `room_queue_limit`.",
     "Wait `retry_after_ms` and try again; if it lasts, look for a slow adapter or disk."},
    {Reason::adapter_error,
     "adapter_error",
     "An adapter failed, answered nonsense or took too long.",
     "Try again later; operators find the adapter in `adapter_error` and in the log."},
    {Reason::muted,
     "muted",
     "The user may read this room but not write for now.",
     "Wait for the end of the mute, or ask a moderator of the room."},
    {Reason::banned,
     "banned",
     "The user is banned from this room.",
     "Ask a moderator of the room to lift the ban."},
    {Reason::slow_mode,
     "slow_mode",
     "The room wants a pause between two messages of one user.",
     "Wait `retry_after_ms` and try again."},
    {Reason::read_only,
     "read_only",
     "Nobody may write in this room for now.",
     "Wait until a moderator opens the room again."},
    {Reason::too_many_joins,
     "too_many_joins",
     "The connection is in too many rooms, or joins too often, or the room is full.",
     "Leave rooms that are not on screen, and wait longer between attempts."},
    {Reason::too_many_connections,
     "too_many_connections",
     "The user, the address or the node has too many connections.",
     "Close the connections that are not needed, or raise the limit."},
    {Reason::room_unavailable,
     "room_unavailable",
     "The room is between two owners, or its owner cannot be reached.",
     "Try again after a second; if it lasts, ask `chatxctl room where`."},
    {Reason::no_quorum,
     "no_quorum",
     "The node cannot reach a majority of its cluster, so it takes no messages.",
     "Connect to another node, or restore the network between the nodes."},
    {Reason::timeout,
     "timeout",
     "No answer came in time; the request may still take effect.",
     "Send it again with the same `client_id`, which never makes two messages."},
    {Reason::shutting_down,
     "shutting_down",
     "The node is being stopped or drained.",
     "Connect again; another node will answer."},
}};

constexpr bool in_order_of_the_enum() {
    for (std::size_t i = 0; i < reasons.size(); ++i) {
        if (static_cast<std::size_t>(reasons[i].reason) != i) return false;
    }
    return true;
}

static_assert(in_order_of_the_enum());

}  // namespace

std::span<const ReasonInfo> all_reasons() {
    return reasons;
}

std::string_view to_text(Reason reason) {
    const auto index = static_cast<std::size_t>(reason);
    CHATX_ASSERT(index < reasons.size());
    return reasons[index].text;
}

std::optional<Reason> reason_from_text(std::string_view text) {
    const auto found = std::ranges::find(reasons, text, &ReasonInfo::text);
    if (found == reasons.end()) return std::nullopt;
    return found->reason;
}

}  // namespace chatx
