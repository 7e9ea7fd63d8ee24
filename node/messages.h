#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include "engine/actions.h"
#include "engine/delivery.h"
#include "engine/room.h"
#include "node/framed.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What travels between the parts of a node: from loop to loop, to the workers and back. Plain
/// values.
namespace chatx::node {

// ---- to a shard ----

/// A request for a room, on its way to the room's owner.
struct RoomCommand {
    RoomId room;
    std::variant<
        engine::Join,
        engine::Leave,
        engine::Send,
        engine::Typing,
        engine::Signal,
        engine::ReadHistory>
        what;
};

/// An operator wants the memberships of a room to end and the room to be opened anew.
struct ResetRoom {
    RoomId room;
};

/// All memberships of a room have ended with its object, and not because anybody wanted it: who was
/// in it is to come again.
struct RoomReset {
    RoomId room;
};

/// Something that happened in a room, for all its subscribers at one edge. Made once for all edges.
struct RoomEvent {
    RoomId room;
    engine::RoomNews event;
    Framed frame;  // The event in V2 of the protocol, the same for every subscriber.
};

using RoomEventPtr = std::shared_ptr<const RoomEvent>;

/// The log has these entries; they come in the order in which they were handed over.
struct Committed {
    std::vector<MessagePtr> messages;
};

/// The log could not take `entries` entries of this room. What was proposed will never be; the room
/// goes on under `epoch`, which is durable.
struct AppendFailed {
    RoomId room;
    Epoch epoch;
    std::size_t entries = 0;
};

/// The answer to OpenRoom.
struct RoomOpened {
    RoomId room;
    Result<engine::RoomState> state;
    Seq archived;               // Places up to here need no delivery any more.
    std::uint64_t attempt = 0;  // As in the request.
};

/// The answer to RunCheck. Without a verdict the check could not be done.
struct CheckDone {
    RoomId room;
    engine::Ticket ticket = 0;
    std::optional<Verdict> verdict;
};

/// The answer to ReadArchive.
struct ArchiveRead {
    RoomId room;
    engine::Ticket ticket = 0;
    Result<HistoryPage> page;
};

/// The answer to SaveBatch.
struct BatchSaved {
    std::uint64_t batch = 0;
    Result<Done> result;
};

/// The answer to Authorize; Reason::timeout when there is none.
struct Authorized {
    std::uint64_t connection = 0;
    std::uint64_t request = 0;
    Result<Done> result;
};

using ShardMessage = std::variant<
    RoomCommand,
    RoomEventPtr,
    ResetRoom,
    RoomReset,
    engine::Replied,
    Committed,
    AppendFailed,
    RoomOpened,
    CheckDone,
    ArchiveRead,
    BatchSaved,
    Authorized>;

// ---- from a shard ----

/// Hand a message to a shard, perhaps the same one. Messages from one shard to another keep their
/// order.
struct Post {
    std::uint16_t shard = 0;
    ShardMessage message;
};

/// Read what is known of a room; answer with RoomOpened.
struct OpenRoom {
    RoomId room;
    std::uint64_t attempt = 0;
};

/// Put an entry into the log. Entries of a shard keep their order. Answer with Committed, or with
/// AppendFailed under a new epoch, once that epoch is stored.
struct AppendLog {
    MessagePtr message;
};

/// The archive has these rooms up to these places, or dead letters do: the log need not keep them.
using TruncateLog = engine::Archived;

/// Run stage `stage` of the middleware chain; answer with CheckDone.
struct RunCheck {
    RoomId room;
    engine::Ticket ticket = 0;
    std::size_t stage = 0;
    Draft draft;
};

/// Read a page; answer with ArchiveRead.
struct ReadArchive {
    RoomId room;
    engine::Ticket ticket = 0;
    HistoryRange range;
};

/// Save a batch in the archive; answer with BatchSaved.
using engine::SaveBatch;

/// Delivery gave up on these: keep them where an operator finds them.
using engine::GiveUp;

/// Ask the auth adapter; answer with Authorized.
struct Authorize {
    std::uint64_t connection = 0;
    std::uint64_t request = 0;
    UserId user;
    RoomId room;
    AuthAction action = AuthAction::join;
};

/// A room threw: to be told to whoever can mend it. What the node does about it is done.
struct RoomCrashed {
    RoomId room;
    std::string what;
};

using ShardAction = std::variant<
    Post,
    RoomCrashed,
    OpenRoom,
    AppendLog,
    TruncateLog,
    RunCheck,
    ReadArchive,
    SaveBatch,
    GiveUp,
    Authorize,
    engine::Event>;

}  // namespace chatx::node
