#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "engine/dedupe.h"
#include "engine/room.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace chatx::node {

/// A place in a room's order.
struct LogPosition {
    RoomId room;
    Seq seq;

    bool operator==(const LogPosition&) const = default;
};

/// Where a room stands, for operators.
struct RoomHead {
    RoomId room;
    Epoch epoch;
    Seq seq;
    WallTime last_inserted_at;

    bool operator==(const RoomHead&) const = default;
};

/// A room as the log finds it.
struct StoredRoom {
    engine::RoomState state;
    Seq archived;  // Places up to here are done: in the archive, or dead letters. The log has those
                   // behind it.
};

/// Most entries in one answer of `backlog` and `rooms`.
inline constexpr std::size_t log_page_max = 1000;

/// Most recent messages in one answer of `open_room`.
inline constexpr std::size_t recent_messages_max = 16'384;

/// Most places that `recent_sends` looks at.
inline constexpr std::size_t recent_sends_max = 65'536;

/// How many reigns of a room are remembered. Beyond it the oldest is forgotten: who resumes from it
/// is not recovered.
inline constexpr std::size_t epochs_per_room_max = 1024;

/// What `ack = disk` waits for: committed entries, until the archive has them, and the head of
/// every room for ever.
///
/// Threads: `append`, `truncate` and `begin_epoch` are called by one thread at a time, the rest by
/// any.
class Log {
public:
    Log() = default;
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;
    virtual ~Log() = default;

    /// Stores all entries of the batch or none, and returns `Done` when they survive a power cut.
    /// An entry is taken right behind the head of its room and under an epoch not below the head's,
    /// so that a batch queued behind a failed one makes no hole. Behind the head comes what the
    /// archive had before the log did (a head is the last place of either): an entry that one of
    /// them has already, with its epoch and id, counts as taken; another one is taken late, if it
    /// is of the head's epoch and its place is free in both. Errors: `room_unavailable`, an entry
    /// neither follows nor belongs behind, and nothing was stored; `timeout`, the disk
    /// failed while committing: the entries may turn up after a restart, and nothing more is taken
    /// before it; any other, the store could not, and nothing was stored.
    virtual Result<Done> append(std::span<const MessagePtr> batch) = 0;

    /// Forgets entries up to these places: they are in the archive, or dead letters. Heads stay.
    /// Forgetting what was never there is no error.
    virtual Result<Done> truncate(std::span<const LogPosition> archived) = 0;

    /// Begins a reign: at start, and whenever a room must give up places it proposed. The counter
    /// is larger than that of every epoch begun before on this store and not below the wall clock's
    /// milliseconds; it is durable on return. So (epoch, seq) is never used twice, also not after
    /// `kill -9` or with a clock set back.
    virtual Result<Epoch> begin_epoch(WallTime now) = 0;

    /// The largest id of all that is stored, dead letters included; 0 when nothing is. For the
    /// start, when the log has no backlog any more: it reads the log and the dead letters through.
    virtual Result<MessageId> last_id() = 0;

    /// The state of a room: head, epoch table and up to `recent_max` messages that end at the head
    /// without a hole, client ids included. `epoch` is the head's; the caller puts the new reign
    /// there. A room never heard of has the empty state.
    virtual Result<StoredRoom> open_room(const RoomId& room, std::size_t recent_max) = 0;

    /// The sends with a `client_id` among the last `places_max` places of a room, those inserted
    /// after `since`, oldest first: what `RoomState::sends` wants, from log, archive and the dead
    /// letters of the archive. Looks no further back than the first message of `since` or earlier,
    /// and than `recent_sends_max` places.
    virtual Result<std::vector<engine::Dedupe::Applied>> recent_sends(
        const RoomId& room, WallTime since, std::size_t places_max) = 0;

    /// Entries not truncated yet, room by room, each in order: after a crash these may be missing
    /// in the archive, so deliver them again before rooms are opened. Goes on behind `after`, the
    /// last entry of the page before. At most `log_page_max`; an empty page is the end.
    virtual Result<std::vector<MessagePtr>> backlog(
        const std::optional<LogPosition>& after, std::size_t limit) = 0;

    /// Rooms in byte order of their names, those behind `after` (empty: from the first). At most
    /// `log_page_max`.
    virtual Result<std::vector<RoomHead>> rooms(std::string_view after, std::size_t limit) = 0;
};

/// `open_room` with the `sends` that RoomState wants, as of `now`.
[[nodiscard]] Result<StoredRoom> open_room_with_sends(
    Log& log,
    const RoomId& room,
    std::size_t recent_max,
    const engine::Dedupe::Options& retries,
    WallTime now);

}  // namespace chatx::node
