#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include "engine/actions.h"
#include "engine/audience.h"
#include "engine/catch_up.h"
#include "engine/dedupe.h"
#include "engine/history.h"
#include "engine/middleware.h"
#include "engine/presence.h"
#include "engine/presence_feed.h"
#include "engine/rate_limiter.h"
#include "engine/send_pipeline.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::engine {

/// What all rooms of a node share.
struct RoomOptions {
    std::size_t message_size_limit = 4096;  // Bytes of content; equal passes.
    std::size_t queue_limit =
        2048;  // Sends that wait for checks or commit; further: `queue_overflow`.
    std::size_t members_max = 50'000;  // Listeners included; further: `too_many_joins`.
    std::size_t meta_size_max =
        4096;  // Bytes of presence fields of a member; larger: `message_too_large`.
    std::size_t history_waiters_max =
        1024;  // Joins and reads that wait for the archive; further: `queue_overflow`.
    RateLimiter::Options rate_limit;
    Dedupe::Options dedupe;
    History::Options history;
    PresenceFeed::Options presence;
    Duration send_deadline = std::chrono::seconds(5);
    Duration check_deadline = std::chrono::seconds(1);
    Duration load_deadline = std::chrono::seconds(5);
    bool archive = false;  // There is one to read from.
    bool moderation_fails_open = false;
};

/// What is known of a room when its owner opens it: the replicated state, from a snapshot, a log or
/// the archive.
///
/// What is older than `recent` counts as archived. Whoever knows that `recent` is archived too says
/// so with `Room::on_archived`.
///
/// `sends` are those with a `client_id` of the last `Dedupe::Options::window`, among the last
/// `entries_max` places: their retries are recognized, so that none makes a second message, also
/// after the room was closed or its owner started anew. How old they are is told by the wall clock.
struct RoomState {
    Epoch
        epoch;  // The reign that begins, larger than every earlier one; or the last one, going on.
    Seq seq;    // The head.
    MessageId last_id;
    WallTime last_inserted_at;
    std::vector<EpochStart> epochs;      // Earlier reigns, oldest first.
    std::vector<MessagePtr> recent;      // The tail of the order, ending at the head; may be empty.
    std::vector<Dedupe::Applied> sends;  // Oldest first.
    WallTime opened_at;                  // The present; if it is earlier, `last_inserted_at` is.
    Ticket tickets_before = 0;           // Tickets are larger: so none is of an earlier object.
};

/// One room at its owner: a state machine that proposes entries and applies committed ones.
///
/// A send passes validation, dedupe, the middleware chain and ordering, in this order; then it is
/// proposed. Whoever drives the room commits it (alone: at once, or when the disk has it; in a
/// cluster: when a majority has it) and calls `apply`, which answers the sender, tells the
/// subscribers and hands the message on to delivery. Nobody sees a message before it is applied.
///
/// Checks of several sends run at the same time; their places in the order are those of their
/// arrival.
///
/// The border of a join: what happened up to `JoinReply::seq` is in the reply or before the point
/// the client named, all later comes as `Broadcast` behind the reply. It is exact where actions for
/// one edge keep their order and the edge forwards to a connection from the moment it handles the
/// reply.
///
/// Lives on one loop. Every call appends to `step.actions`, in an order that depends on nothing but
/// the inputs.
class Room {
public:
    /// `options` and `chain` outlive the room.
    Room(RoomId id, const RoomOptions& options, const Chain& chain, RoomState state, TimePoint now);
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    ~Room() = default;

    // Requests. Each is answered exactly once with `Replied`, apart from Leave, Typing and Signal,
    // which are not answered.

    /// A join that has to read the archive takes effect when that is done. Until then another join
    /// or a leave of the same connection puts an end to it: it is answered `room_unavailable`. When
    /// the archive cannot be read, the join succeeds with what is in memory and `recovered: false`.
    void join(Join request, Step& step);
    void leave(const Leave& request, Step& step);

    /// A send that is not proposed within `send_deadline` is dropped with `timeout`. A proposed one
    /// is answered `timeout` then, and stays proposed; a retry with its `client_id` gets the
    /// outcome.
    void send(Send request, Step& step);

    // Both are passed on when the member is visibly here as this user.
    void typing(const Typing& request, Step& step);
    void signal(Signal request, Step& step);
    void read_history(const ReadHistory& request, Step& step);

    /// Ends every membership of an edge, as if each had left.
    void drop_edge(EdgeId edge, Step& step);

    // Answers to actions. A ticket that is no longer waited for is ignored.
    void on_verdict(Ticket ticket, Verdict verdict, Step& step);
    /// The check could not be done: it threw, or nobody was free to do it.
    void on_check_failed(Ticket ticket, Step& step);
    void on_loaded(Ticket ticket, Result<HistoryPage> page, Step& step);

    /// A proposed entry is committed. Entries come in the order they were proposed; what is not the
    /// next in that order is ignored.
    void apply(const MessagePtr& message, Step& step);

    /// The entries proposed and not applied will never be: their senders are told
    /// `room_unavailable`, and the room goes on under `epoch`, which is larger than the present
    /// one, so that no place is named twice.
    void fail_uncommitted(Epoch epoch, Step& step);

    /// Delivery has the messages up to `seq` in the archive (or gave up on them, noted as dead
    /// letters).
    void on_archived(Seq seq);

    /// Lets time pass: deadlines, expiry.
    void tick(Step& step);

    /// When `tick` has something to do next; nothing before that changes.
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    /// Nobody is in the room, nothing waits, all of it is in the archive (or nothing was ever
    /// said), the retries it recognizes are those that `RoomState::sends` would bring back, and
    /// nobody would be allowed to send more for its being opened anew.
    [[nodiscard]] bool can_close() const;

    /// When the room was last used: the last call other than `tick` and `on_archived`.
    [[nodiscard]] TimePoint idle_since() const { return idle_since_; }

    // Reads for operators and presence.
    [[nodiscard]] const RoomId& id() const { return id_; }

    [[nodiscard]] Epoch epoch() const { return sends_.epoch(); }

    [[nodiscard]] Seq head() const { return history_.head(); }

    [[nodiscard]] const Presence& presence() const { return audience_.presence(); }

    [[nodiscard]] std::size_t subscriber_count() const { return audience_.size(); }

    [[nodiscard]] std::size_t queue_size() const { return sends_.queue_size(); }

    [[nodiscard]] std::size_t memory_bytes() const {
        return history_.bytes();
    }  // Of messages kept, roughly.

private:
    struct LoadingJoin {
        Join request;
        CatchUp catch_up;
    };

    struct LoadingRead {
        ReplyTo reply_to;
        PendingRead read;
    };

    /// A call to the archive that runs.
    struct Load {
        TimePoint deadline;
        HistoryRange asked;
        std::variant<LoadingJoin, LoadingRead> what;
    };

    void advance(LoadingJoin join, CatchUp::Next next, Step& step);
    void complete(const Join& request, CatchUp::Found found, Step& step);
    void cancel_join(const MemberKey& member, std::string_view why, Step& step);
    void publish(Presence::Change change, Step& step);
    void tell(std::vector<PresenceFeed::News> news, Step& step) const;
    [[nodiscard]] std::optional<Error> refusal_of(const Join& request) const;

    [[nodiscard]] bool loads_full() const { return loads_.size() >= options_.history_waiters_max; }

    void begin_load(
        const HistoryRange& asked, std::variant<LoadingJoin, LoadingRead> what, Step& step);
    [[nodiscard]] std::optional<Load> take_load(Ticket ticket);
    void load_failed(Load load, Metric metric, Step& step);
    [[nodiscard]] bool next_in_order(const Message& message) const;
    void remember(const RoomState& state, TimePoint now);

    RoomId id_;
    const RoomOptions& options_;
    Ticket last_ticket_;
    SendPipeline sends_;
    Audience audience_;
    History history_;
    PresenceFeed feed_;
    std::map<Ticket, Load>
        loads_;  // Tickets grow and all loads may take the same time: the first is due first.
    std::map<MemberKey, Ticket> joining_;  // The loads that are joins.
    TimePoint idle_since_;
};

}  // namespace chatx::engine
