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
#include <string_view>
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
///
/// Also the supervisor of the rooms: what a room throws ends that room's object and nothing else.
/// Whoever waits for it is told `room_unavailable`, every edge hears RoomReset, and the next
/// request opens the room anew: from the log once all that the old object put into it is settled,
/// or, without one, empty and under a new epoch. So no (epoch, seq) is given twice. What the log
/// took meanwhile is in the new object from the start; what the archive may lack of it is delivered
/// again. Counted as Metric::room_crashed.
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

    /// Ends the room's object as if it had thrown, but counts no crash. Nothing when the room is
    /// not in memory.
    void handle(const ResetRoom& reset, ShardStep& step);
    void handle(const Committed& committed, ShardStep& step);
    void handle(const AppendFailed& failed, ShardStep& step);
    void handle(RoomOpened opened, ShardStep& step);
    void handle(CheckDone done, ShardStep& step);
    void handle(ArchiveRead read, ShardStep& step);
    void handle(const BatchSaved& saved, ShardStep& step);

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
    /// What a request is to be answered with.
    enum class Wanted : std::uint8_t { join, send, history };

    struct Entry {
        std::unique_ptr<engine::Room> room;  // Null while the room is being opened.
        std::vector<RoomCommand> waiting;    // Came while it was.
        std::optional<TimePoint>
            due;                    // Its place in `due_`; while it is opened, the end of patience.
        std::uint64_t attempt = 0;  // Of opening it. 0: first the log has to answer for `logging`.
        std::size_t logging = 0;    // Entries on their way to the log.
        std::optional<Epoch>
            failed;  // Some of them were lost: the epoch to go on under, once all are answered.
        std::multimap<engine::ReplyTo, Wanted> asked;  // What the room has not answered.
    };

    using Rooms = std::map<RoomId, Entry>;

    template <class Call>
    bool with_room(Rooms::iterator entry, ShardStep& step, Call&& call);
    template <class Call>
    bool contain(Rooms::iterator entry, ShardStep& step, Call&& call);
    void end(Rooms::iterator entry, std::string_view why, ShardStep& step);
    void carry_out(Entry& entry, std::vector<engine::Action>& actions, ShardStep& step);
    void carry_out(Entry& entry, engine::Action& action, ShardStep& step);
    void log(Entry& entry, MessagePtr message, ShardStep& step);
    void answered(Rooms::iterator entry, ShardStep& step);
    void wait(Rooms::iterator entry, RoomCommand command, ShardStep& step);
    void spread(const RoomId& room, engine::Broadcast& broadcast, ShardStep& step) const;
    static void note(Entry& entry, const RoomCommand& command);
    static void perform(engine::Room& room, RoomCommand& command, engine::Step& step);
    void ask_to_open(Rooms::iterator entry, ShardStep& step);
    void give_up_opening(Rooms::iterator entry, const Error& error, ShardStep& step);
    void open(Rooms::iterator entry, engine::RoomState state, Seq archived, ShardStep& step);
    void redeliver(const engine::RoomState& state, Seq archived, ShardStep& step);
    static void refuse(const RoomCommand& command, const Error& error, ShardStep& step);
    static void refuse(
        const engine::ReplyTo& to, Wanted wanted, const Error& error, ShardStep& step);
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
    std::uint64_t attempts_ = 0;  // To open rooms.
    engine::Ticket objects_ = 0;  // Rooms opened so far.
    std::set<RoomId> crashed_;  // Whose messages delivery may lack until they are opened again, or
                                // the node starts anew; `rooms_max` at most.
};

}  // namespace chatx::node
