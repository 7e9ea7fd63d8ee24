#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/delivery.h"
#include "engine/room.h"
#include "node/messages.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace chatx::node {

/// When a proposed entry counts as committed on a node that is alone.
enum class CommitRule : std::uint8_t {
    at_once,  // `ack = local | replica`: memory is enough; a log is written behind.
    logged,   // `ack = disk`: when the log has it on disk, and nobody sees it before.
};

struct RoomHostOptions {
    engine::RoomOptions room;
    engine::Delivery::Options delivery;
    CommitRule commit = CommitRule::at_once;
    bool log = false;      // There is a log: rooms are opened from it and entries go into it.
    bool archive = false;  // There is an archive: committed messages are delivered to it.
    std::size_t rooms_max =
        100'000;  // In memory on this shard; beyond it a new one is `room_unavailable`.
    std::size_t log_backlog_max =
        65'536;  // Entries on their way to the log; beyond it sends are `queue_overflow`.
    Duration room_idle = std::chrono::seconds(300);
    Duration open_deadline =
        std::chrono::seconds(5);  // For what waits while a room is opened: then `timeout`.
};

/// What one call to a core may use, and where what is to be done goes.
struct ShardStep {
    TimePoint now;
    WallTime wall;
    Entropy& entropy;
    std::vector<ShardAction>& actions;
};

/// The rooms of one shard: opens them on first use, brings them requests and answers, commits what
/// they propose, hands committed messages to delivery, and closes the idle ones. Lives on the
/// shard's loop; without I/O.
class RoomHost {
public:
    struct Place {
        std::uint16_t shard = 0;
        std::uint16_t shards = 1;
        std::uint16_t node = 0;  // The node's index in message ids.
        Epoch epoch;             // The reign that began with this start.
        MessageId last_id;       // Ids given before this start are not above it.
    };

    RoomHost(Place place, RoomHostOptions options, engine::Chain chain, Entropy& entropy);
    RoomHost(const RoomHost&) = delete;
    RoomHost& operator=(const RoomHost&) = delete;
    ~RoomHost();

    void handle(RoomCommand command, ShardStep& step);
    void handle(const Committed& committed, ShardStep& step);
    void handle(const AppendFailed& failed, ShardStep& step);
    void handle(RoomOpened opened, ShardStep& step);
    void handle(CheckDone done, ShardStep& step);
    void handle(ArchiveRead read, ShardStep& step);
    void handle(BatchSaved saved, ShardStep& step);

    /// Lets time pass: deadlines of rooms and of delivery, idle rooms.
    void tick(ShardStep& step);

    /// From now on delivery waits for no batch to fill; true when nothing is left to deliver.
    bool drain(ShardStep& step);

    /// For operators. Null when the room is not in memory.
    [[nodiscard]] const engine::Room* find(const RoomId& room) const;

    /// Rooms in memory, in order of name, behind `after`.
    [[nodiscard]] std::vector<const engine::Room*> list(
        const std::optional<RoomId>& after, std::size_t limit) const;

    [[nodiscard]] std::size_t room_count() const { return rooms_.size(); }

    [[nodiscard]] std::size_t delivery_backlog() const { return delivery_.size(); }

private:
    struct Entry {
        std::unique_ptr<engine::Room> room;  // Null while the room is being opened.
        std::vector<RoomCommand> waiting;    // Came while it was.
        std::optional<TimePoint>
            due;                  // Its place in `due_`; while it is opened, the end of patience.
        std::size_t logging = 0;  // Entries on their way to the log, with CommitRule::logged.
        std::optional<Epoch>
            failed;  // Some of them were lost: the epoch to go on under, once all are answered.
    };

    using Rooms = std::map<RoomId, Entry>;

    template <class Call>
    void with_room(Rooms::iterator entry, ShardStep& step, Call&& call);
    void carry_out(Entry& entry, std::vector<engine::Action>& actions, ShardStep& step);
    void carry_out(Entry& entry, engine::Action& action, ShardStep& step);
    void log(Entry& entry, MessagePtr message, ShardStep& step);
    void answered(Rooms::iterator entry, std::size_t entries, ShardStep& step);
    void wait(Entry& entry, RoomCommand command, ShardStep& step) const;
    void spread(const RoomId& room, engine::Broadcast& broadcast, ShardStep& step) const;
    void perform(engine::Room& room, RoomCommand& command, engine::Step& step);
    void give_up_opening(Rooms::iterator entry, const Error& error, ShardStep& step);
    void open(Rooms::iterator entry, engine::RoomState state, Seq archived, ShardStep& step);
    void refuse(const RoomCommand& command, const Error& error, ShardStep& step) const;
    void reschedule(Rooms::iterator entry, TimePoint now);
    void set_due(Rooms::iterator entry, std::optional<TimePoint> due);
    void deliver(engine::DeliveryActions actions, ShardStep& step);
    void archived(const engine::Archived& archived, ShardStep& step);

    Place place_;
    RoomHostOptions options_;
    engine::Chain chain_;
    MessageIdClock ids_;
    Rooms rooms_;
    std::set<std::pair<TimePoint, RoomId>> due_;
    engine::Delivery delivery_;
    std::size_t log_backlog_ = 0;
};

}  // namespace chatx::node
