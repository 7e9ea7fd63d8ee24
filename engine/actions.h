#pragma once

#include <chatx/adapters.h>
#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "engine/telemetry.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What goes into a room and what comes out of it. All values: they cross loops, and later nodes.
namespace chatx::engine {

/// Who forwards to and from a room: a shard of this node today, a node of the cluster later. A room
/// sends one copy of what happens to each edge that has subscribers; the edge spreads it to its
/// connections.
struct EdgeId {
    std::uint16_t value = 0;
    auto operator<=>(const EdgeId&) const = default;
};

/// A connection of an edge, as a room knows it. One connection is in a room at most once.
struct MemberKey {
    EdgeId edge;
    std::uint64_t connection = 0;
    auto operator<=>(const MemberKey&) const = default;
};

/// Where the answer to a request goes; `request` is the asker's own number.
struct ReplyTo {
    EdgeId edge;
    std::uint64_t connection = 0;
    std::uint64_t request = 0;
    auto operator<=>(const ReplyTo&) const = default;
};

/// Names a call that a room waits for. Unique inside its room.
using Ticket = std::uint64_t;

// ---- in ----

/// Where a subscriber stopped reading. `last_seen_id` wins over `since`; with neither, the latest
/// `history` messages.
struct Resume {
    struct Point {
        Epoch epoch;
        Seq seq;
    };

    std::optional<MessageId> last_seen_id;
    std::optional<Point> since;
    std::uint32_t history = 0;
    bool unknown_point =
        false;  // The client named a point that cannot be parsed: answer `recovered: false`.
};

/// Enter a room, visibly or only to listen. Authorized by the edge. Again on the same connection:
/// idempotent, with a fresh answer.
struct Join {
    ReplyTo reply_to;
    MemberKey member;
    UserId user;
    bool visible = true;
    std::string meta;  // The inside of a JSON object for presence, without braces; may be empty.
    Resume resume;
};

/// Leave a room. Nobody is told apart from presence; leaving twice is fine.
struct Leave {
    MemberKey member;
};

struct Send {
    ReplyTo reply_to;
    UserId user;
    std::string content;
    std::string client_id;
    std::optional<MessageId> answers;  // Becomes `Message::reply_to`.
};

/// Somebody is typing; told to all others at once and never kept.
struct Typing {
    MemberKey member;
    UserId user;
};

/// Something of a client's own, told to all others at once and never kept: bytes that mean nothing
/// here.
struct Signal {
    MemberKey member;
    UserId user;
    std::string event;  // The client's name for it; none of the server's.
    std::string payload;
};

/// Read a page of history. Never waits in the room's queue.
struct ReadHistory {
    ReplyTo reply_to;
    HistoryRange range;
};

// ---- out ----

struct SendReply {
    MessageId id;
    Epoch epoch;
    Seq seq;
    WallTime inserted_at;
    bool operator==(const SendReply&) const = default;
};

/// Presence metas of one user: one for each connection.
struct PresenceMeta {
    std::string ref;           // `phx_ref`, unique for each version of a meta.
    std::string ref_previous;  // `phx_ref_prev`; empty on the first version.
    std::int64_t online_at_s;  // Seconds since 1970.
    std::string fields;        // Further JSON members, without braces; may be empty.
    bool operator==(const PresenceMeta&) const = default;
};

/// User to metas, in order of user so that runs repeat.
using PresenceMap = std::map<std::string, std::vector<PresenceMeta>>;

struct PresenceDiff {
    PresenceMap joins;
    PresenceMap leaves;

    [[nodiscard]] bool empty() const { return joins.empty() && leaves.empty(); }

    bool operator==(const PresenceDiff&) const = default;
};

/// Everybody who is visibly there, in place of what was known before.
struct PresenceState {
    std::shared_ptr<const PresenceMap> members;
};

/// How many are visibly there, in a room that is too large for a list.
struct Occupancy {
    std::size_t count = 0;
    bool operator==(const Occupancy&) const = default;
};

struct JoinReply {
    std::vector<MessagePtr> messages;  // In order; the live stream goes on right behind `seq`.
    bool recovered = false;  // Everything since the point the client named is in `messages` or,
                             // with `more`, behind it.
    bool more = false;       // The page was full: ask for history after the last of `messages`.
    Epoch epoch;
    Seq seq;                                      // The room's head at the border.
    std::shared_ptr<const PresenceMap> presence;  // Null for a listener.
    std::optional<Occupancy> occupancy;  // In a room that is too large for `presence`.
};

/// An answer for an edge.
struct Replied {
    ReplyTo to;
    std::variant<Result<SendReply>, Result<JoinReply>, Result<HistoryPage>> what;
};

/// What everybody in a room is told of.
using RoomNews = std::variant<MessagePtr, PresenceDiff, PresenceState, Occupancy, Typing, Signal>;

/// Something for everybody in the room; one copy to each edge in `edges`.
struct Broadcast {
    RoomNews event;
    std::vector<EdgeId> edges;
};

/// An entry that wants a place in the room's order. Commit entries in the order given, then call
/// `Room::apply` for each; or `Room::fail_uncommitted` when that is impossible.
struct Proposed {
    MessagePtr message;
};

/// Run stage `stage` of the middleware chain on the draft, then call `Room::on_verdict`. Within 1
/// s, or the room goes on without the answer.
struct CheckDraft {
    Ticket ticket;
    std::size_t stage;
    Draft draft;
};

/// Read from the archive, then call `Room::on_loaded`. Within 5 s, or the room goes on without the
/// answer.
struct LoadHistory {
    Ticket ticket;
    HistoryRange range;
};

/// A committed message for persistence and notifier.
struct Deliver {
    MessagePtr message;
};

using Action = std::variant<Replied, Broadcast, Proposed, CheckDraft, LoadHistory, Deliver, Event>;

/// What a step may use and where it puts what is to be done. Lives as long as one call.
struct Step {
    TimePoint now;
    WallTime wall;
    Entropy& entropy;
    MessageIdClock& ids;
    std::vector<Action>& actions;
};

}  // namespace chatx::engine
