#include "node/room_host.h"

#include <chatx/assert.h>

#include "engine/replies.h"
#include "node/payloads.h"

#include <algorithm>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace chatx::node {

namespace {

constexpr auto busy_retry_after = std::chrono::milliseconds(250);

/// Tickets of one object of a room: more than it takes in a year.
constexpr unsigned object_shift = 40;

Error room_unavailable(std::string detail) {
    return Error{Reason::room_unavailable, std::move(detail), std::chrono::seconds(1)};
}

}  // namespace

RoomHost::RoomHost(Place place, RoomHostOptions options, engine::Chain chain, Entropy& entropy)
    : place_(place),
      options_(options),
      chain_(std::move(chain)),
      ids_({.node = place.node, .lane = place.shard, .lanes = place.shards}),
      delivery_(options_.delivery, entropy) {
    ids_.raise_above(place.last_id);
}

RoomHost::~RoomHost() = default;

void RoomHost::handle(RoomCommand command, ShardStep& step) {
    auto entry = rooms_.find(command.room);
    if (entry == rooms_.end()) {
        // Leaving a room that is not in memory, or a signal in it, changes nothing: no reason to
        // open it.
        if (std::holds_alternative<engine::Leave>(command.what)) return;
        if (std::holds_alternative<engine::Typing>(command.what)) return;
        if (std::holds_alternative<engine::Signal>(command.what)) return;
        if (rooms_.size() >= options_.rooms_max) {
            return refuse(
                command, room_unavailable("this node holds as many rooms as it may"), step);
        }
        entry = rooms_.try_emplace(command.room).first;
        if (options_.log) {
            ask_to_open(entry, step);
        } else {
            open(entry, {}, {}, step);
        }
    }
    if (!entry->second.room) return wait(entry, std::move(command), step);
    if (std::holds_alternative<engine::Send>(command.what)
        && log_backlog_ >= options_.log_backlog_max) {
        return refuse(
            command, Error{Reason::queue_overflow, "the log is behind", busy_retry_after}, step);
    }
    with_room(entry, step, [&](engine::Room& room, engine::Step& inner) {
        note(entry->second, command);
        perform(room, command, inner);
    });
}

void RoomHost::handle(const ResetRoom& reset, ShardStep& step) {
    const auto entry = rooms_.find(reset.room);
    if (entry != rooms_.end() && entry->second.room) end(entry, "the room was reset", step);
}

// What the log has of a room that is gone is in the next object when that is opened.
void RoomHost::handle(const Committed& committed, ShardStep& step) {
    log_backlog_ -= std::min(log_backlog_, committed.messages.size());
    for (const MessagePtr& message : committed.messages) {
        const auto entry = rooms_.find(message->room);
        if (entry == rooms_.end()) continue;
        std::size_t& logging = entry->second.logging;
        logging -= std::min<std::size_t>(logging, 1);
        if (entry->second.room && options_.commit == CommitRule::logged) {
            const bool whole = with_room(entry, step, [&](engine::Room& room, engine::Step& inner) {
                room.apply(message, inner);
            });
            if (!whole) continue;
        }
        answered(entry, step);
    }
}

void RoomHost::handle(const AppendFailed& failed, ShardStep& step) {
    log_backlog_ -= std::min(log_backlog_, failed.entries);
    place_.epoch =
        std::max(place_.epoch, failed.epoch);  // Also for rooms that are closed and opened again.
    const auto entry = rooms_.find(failed.room);
    if (entry == rooms_.end()) return;
    std::size_t& logging = entry->second.logging;
    logging -= std::min(logging, failed.entries);
    if (entry->second.room)
        entry->second.failed = std::max(failed.epoch, entry->second.failed.value_or(Epoch{}));
    answered(entry, step);
}

void RoomHost::handle(RoomOpened opened, ShardStep& step) {
    const auto entry = rooms_.find(opened.room);
    if (entry == rooms_.end() || entry->second.room) return;
    if (opened.attempt != entry->second.attempt) return;  // Of an earlier attempt, given up.
    if (opened.state) return open(entry, *std::move(opened.state), opened.archived, step);
    give_up_opening(entry, opened.state.error(), step);
}

void RoomHost::handle(CheckDone done, ShardStep& step) {
    const auto entry = rooms_.find(done.room);
    if (entry == rooms_.end() || !entry->second.room) return;
    with_room(entry, step, [&](engine::Room& room, engine::Step& inner) {
        if (done.verdict) {
            room.on_verdict(done.ticket, *std::move(done.verdict), inner);
        } else {
            room.on_check_failed(done.ticket, inner);
        }
    });
}

void RoomHost::handle(ArchiveRead read, ShardStep& step) {
    const auto entry = rooms_.find(read.room);
    if (entry == rooms_.end() || !entry->second.room) return;
    with_room(entry, step, [&](engine::Room& room, engine::Step& inner) {
        room.on_loaded(read.ticket, std::move(read.page), inner);
    });
}

void RoomHost::handle(const BatchSaved& saved, ShardStep& step) {
    deliver(delivery_.on_result(saved.batch, saved.result, step.now), step);
}

void RoomHost::tick(ShardStep& step) {
    while (!due_.empty() && due_.begin()->first <= step.now) {
        const auto entry = rooms_.find(due_.begin()->second);
        CHATX_ASSERT(entry != rooms_.end());
        if (!entry->second.room) {
            give_up_opening(
                entry, Error{Reason::timeout, "the room could not be opened in time", {}}, step);
            continue;
        }
        const engine::Room& room = *entry->second.room;
        if (room.can_close() && entry->second.logging == 0
            && step.now - room.idle_since() >= options_.room_idle) {
            due_.erase(due_.begin());
            rooms_.erase(entry);
            step.actions.emplace_back(engine::Event{.metric = engine::Metric::room_closed});
            continue;
        }
        with_room(entry, step, [](engine::Room& due, engine::Step& inner) { due.tick(inner); });
    }
    deliver(delivery_.tick(step.now), step);
}

bool RoomHost::drain(ShardStep& step) {
    deliver(delivery_.drain(step.now), step);
    return delivery_.idle() && log_backlog_ == 0;
}

const engine::Room* RoomHost::find(const RoomId& room) const {
    const auto entry = rooms_.find(room);
    return entry == rooms_.end() ? nullptr : entry->second.room.get();
}

std::vector<const engine::Room*> RoomHost::list(
    const std::optional<RoomId>& after, std::size_t limit) const {
    std::vector<const engine::Room*> rooms;
    auto entry = after ? rooms_.upper_bound(*after) : rooms_.begin();
    for (; entry != rooms_.end() && rooms.size() < limit; ++entry) {
        if (entry->second.room) rooms.push_back(entry->second.room.get());
    }
    return rooms;
}

/// False when the room threw: then its entry may be gone too.
template <class Call>
bool RoomHost::with_room(Rooms::iterator entry, ShardStep& step, Call&& call) {
    return contain(entry, step, [&] {
        std::vector<engine::Action> actions;
        engine::Step inner{step.now, step.wall, step.entropy, ids_, actions};
        call(*entry->second.room, inner);
        carry_out(entry->second, actions, step);
        reschedule(entry, step.now);
    });
}

template <class Call>
bool RoomHost::contain(Rooms::iterator entry, ShardStep& step, Call&& call) {
    std::string what;
    try {
        call();
        return true;
    } catch (const std::exception& exception) {
        what = exception.what();
    } catch (...) {
        what = "something that is no exception";
    }
    const RoomId room = entry->first;
    end(entry, "the room crashed", step);
    step.actions.emplace_back(engine::Event{.metric = engine::Metric::room_crashed});
    step.actions.emplace_back(RoomCrashed{room, std::move(what)});
    return false;
}

// The answers go first: to a client whose membership is over they would come too late. An edge that
// has nobody in the room is told for nothing; who was in it, only the object knew.
void RoomHost::end(Rooms::iterator entry, std::string_view why, ShardStep& step) {
    Entry& ended = entry->second;
    ended.room.reset();
    ended.failed.reset();
    set_due(entry, std::nullopt);
    if (!options_.log) ++place_.epoch.counter;
    if (options_.archive && crashed_.size() < options_.rooms_max) crashed_.insert(entry->first);
    for (const auto& [to, wanted] : std::exchange(ended.asked, {}))
        refuse(to, wanted, room_unavailable(std::string(why)), step);
    for (std::uint16_t shard = 0; shard < place_.shards; ++shard)
        step.actions.emplace_back(Post{shard, RoomReset{entry->first}});
    step.actions.emplace_back(engine::Event{.metric = engine::Metric::room_closed});
    if (ended.logging == 0) rooms_.erase(entry);
}

// Committing at once calls back into the room, which may have more to say: the list grows while it
// is worked off.
void RoomHost::carry_out(Entry& entry, std::vector<engine::Action>& actions, ShardStep& step) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
        engine::Action action = std::move(actions[i]);
        const auto* proposed = std::get_if<engine::Proposed>(&action);
        if (proposed != nullptr && options_.commit == CommitRule::at_once) {
            engine::Step inner{step.now, step.wall, step.entropy, ids_, actions};
            entry.room->apply(proposed->message, inner);
        }
        carry_out(entry, action, step);
    }
}

void RoomHost::carry_out(Entry& entry, engine::Action& action, ShardStep& step) {
    const engine::Room& room = *entry.room;
    if (auto* reply = std::get_if<engine::Replied>(&action)) {
        const auto asked = entry.asked.find(reply->to);
        if (asked != entry.asked.end()) entry.asked.erase(asked);
        const std::uint16_t shard = reply->to.edge.value;
        step.actions.emplace_back(Post{shard, std::move(*reply)});
    } else if (auto* broadcast = std::get_if<engine::Broadcast>(&action)) {
        spread(room.id(), *broadcast, step);
    } else if (auto* proposed = std::get_if<engine::Proposed>(&action)) {
        if (options_.log) log(entry, std::move(proposed->message), step);
    } else if (auto* check = std::get_if<engine::CheckDraft>(&action)) {
        step.actions.emplace_back(
            RunCheck{room.id(), check->ticket, check->stage, std::move(check->draft)});
    } else if (auto* load = std::get_if<engine::LoadHistory>(&action)) {
        step.actions.emplace_back(ReadArchive{room.id(), load->ticket, load->range});
    } else if (auto* delivery = std::get_if<engine::Deliver>(&action)) {
        if (options_.archive)
            deliver(delivery_.enqueue(std::move(delivery->message), step.now), step);
    } else {
        step.actions.emplace_back(std::get<engine::Event>(action));
    }
}

// Behind a lost entry the log takes nothing of its room: what is proposed meanwhile is lost with
// it, unsent.
void RoomHost::log(Entry& entry, MessagePtr message, ShardStep& step) {
    if (entry.failed) return;
    step.actions.emplace_back(AppendLog{std::move(message)});
    ++entry.logging;
    ++log_backlog_;
}

// A place may be given anew only when no earlier entry for it can turn up in the log.
void RoomHost::answered(Rooms::iterator entry, ShardStep& step) {
    if (entry->second.logging > 0) return;
    if (!entry->second.room) {
        if (entry->second.attempt != 0) return;
        if (!entry->second.waiting.empty()) return ask_to_open(entry, step);
        rooms_.erase(entry);
        return;
    }
    if (!entry->second.failed) return;
    const Epoch epoch = *std::exchange(entry->second.failed, std::nullopt);
    with_room(entry, step, [&](engine::Room& room, engine::Step& inner) {
        room.fail_uncommitted(epoch, inner);
    });
}

// A goodbye undoes the join that waits, so that it needs no place of its own and always counts.
void RoomHost::wait(Rooms::iterator entry, RoomCommand command, ShardStep& step) {
    std::vector<RoomCommand>& queue = entry->second.waiting;
    if (const auto* leave = std::get_if<engine::Leave>(&command.what)) {
        const auto join = std::find_if(queue.begin(), queue.end(), [&](const RoomCommand& waiting) {
            const auto* request = std::get_if<engine::Join>(&waiting.what);
            return request != nullptr && request->member == leave->member;
        });
        if (join == queue.end()) return;
        refuse(*join, room_unavailable("the connection left before the join was complete"), step);
        queue.erase(join);
    } else if (queue.size() >= options_.room.queue_limit) {
        refuse(
            command,
            Error{Reason::queue_overflow, "the room is being opened", busy_retry_after},
            step);
    } else {
        queue.push_back(std::move(command));
        if (!entry->second.due) set_due(entry, step.now + options_.open_deadline);
    }
}

void RoomHost::spread(const RoomId& room, engine::Broadcast& broadcast, ShardStep& step) const {
    if (broadcast.edges.empty()) return;
    Framed frame = broadcast_frame(room, broadcast.event, proto::phoenix::Version::v2);
    const auto event = std::make_shared<const RoomEvent>(
        RoomEvent{room, std::move(broadcast.event), std::move(frame)});
    for (const engine::EdgeId edge : broadcast.edges)
        step.actions.emplace_back(Post{edge.value, event});
}

void RoomHost::note(Entry& entry, const RoomCommand& command) {
    if (const auto* join = std::get_if<engine::Join>(&command.what)) {
        entry.asked.emplace(join->reply_to, Wanted::join);
    } else if (const auto* send = std::get_if<engine::Send>(&command.what)) {
        entry.asked.emplace(send->reply_to, Wanted::send);
    } else if (const auto* read = std::get_if<engine::ReadHistory>(&command.what)) {
        entry.asked.emplace(read->reply_to, Wanted::history);
    }
}

void RoomHost::perform(engine::Room& room, RoomCommand& command, engine::Step& step) {
    if (auto* join = std::get_if<engine::Join>(&command.what)) {
        room.join(std::move(*join), step);
    } else if (auto* leave = std::get_if<engine::Leave>(&command.what)) {
        room.leave(*leave, step);
    } else if (auto* send = std::get_if<engine::Send>(&command.what)) {
        room.send(std::move(*send), step);
    } else if (auto* typing = std::get_if<engine::Typing>(&command.what)) {
        room.typing(*typing, step);
    } else if (auto* signal = std::get_if<engine::Signal>(&command.what)) {
        room.signal(std::move(*signal), step);
    } else {
        room.read_history(std::get<engine::ReadHistory>(command.what), step);
    }
}

void RoomHost::ask_to_open(Rooms::iterator entry, ShardStep& step) {
    entry->second.attempt = ++attempts_;
    step.actions.emplace_back(OpenRoom{entry->first, entry->second.attempt});
    set_due(entry, step.now + options_.open_deadline);
}

// An answer that comes later finds no room and is ignored; the next request asks anew.
void RoomHost::give_up_opening(Rooms::iterator entry, const Error& error, ShardStep& step) {
    set_due(entry, std::nullopt);
    const std::vector<RoomCommand> waiting = std::exchange(entry->second.waiting, {});
    entry->second.attempt = 0;
    if (entry->second.logging == 0) rooms_.erase(entry);
    for (const RoomCommand& command : waiting)
        refuse(command, error, step);
}

void RoomHost::open(Rooms::iterator entry, engine::RoomState state, Seq archived, ShardStep& step) {
    state.epoch = std::max(state.epoch, place_.epoch);
    state.opened_at = step.wall;
    state.tickets_before = ++objects_ << object_shift;
    ids_.raise_above(state.last_id);
    if (crashed_.erase(entry->first) > 0) redeliver(state, archived, step);
    std::vector<RoomCommand> waiting = std::exchange(entry->second.waiting, {});
    entry->second.attempt = 0;
    step.actions.emplace_back(engine::Event{.metric = engine::Metric::room_opened});
    const bool whole = contain(entry, step, [&] {
        for (const RoomCommand& command : waiting)
            note(entry->second, command);
        entry->second.room = std::make_unique<engine::Room>(
            entry->first, options_.room, chain_, std::move(state), step.now);
        entry->second.room->on_archived(archived);
    });
    if (!whole) return;
    with_room(entry, step, [&](engine::Room& room, engine::Step& inner) {
        for (RoomCommand& command : waiting)
            perform(room, command, inner);
    });
}

// A message that its room committed and could not hand on any more; those that delivery has already
// are not doubled in the archive.
void RoomHost::redeliver(const engine::RoomState& state, Seq archived, ShardStep& step) {
    for (const MessagePtr& message : state.recent) {
        if (message->seq > archived) deliver(delivery_.enqueue(message, step.now), step);
    }
}

void RoomHost::refuse(const RoomCommand& command, const Error& error, ShardStep& step) {
    if (const auto* join = std::get_if<engine::Join>(&command.what)) {
        refuse(join->reply_to, Wanted::join, error, step);
    } else if (const auto* send = std::get_if<engine::Send>(&command.what)) {
        refuse(send->reply_to, Wanted::send, error, step);
    } else if (const auto* read = std::get_if<engine::ReadHistory>(&command.what)) {
        refuse(read->reply_to, Wanted::history, error, step);
    }
}

void RoomHost::refuse(
    const engine::ReplyTo& to, Wanted wanted, const Error& error, ShardStep& step) {
    const auto emit = [&](auto action) {
        if constexpr (std::is_same_v<decltype(action), engine::Replied>) {
            const std::uint16_t shard = action.to.edge.value;
            step.actions.emplace_back(Post{shard, std::move(action)});
        } else {
            step.actions.emplace_back(std::move(action));
        }
    };
    switch (wanted) {
        case Wanted::join:
            return engine::emit_refusal<engine::JoinReply>(to, error, emit);
        case Wanted::send:
            return engine::emit_refusal<engine::SendReply>(to, error, emit);
        case Wanted::history:
            return engine::emit_refusal<HistoryPage>(to, error, emit);
    }
}

// A room that may close is looked at again when it has been idle for long enough.
void RoomHost::reschedule(Rooms::iterator entry, TimePoint now) {
    const engine::Room& room = *entry->second.room;
    std::optional<TimePoint> due = room.deadline();
    if (room.can_close()) {
        const TimePoint close_at =
            std::max(room.idle_since() + options_.room_idle, now + Duration(1));
        due = due ? std::min(*due, close_at) : close_at;
    }
    set_due(entry, due);
}

void RoomHost::set_due(Rooms::iterator entry, std::optional<TimePoint> due) {
    if (due == entry->second.due) return;
    if (entry->second.due) due_.erase({*entry->second.due, entry->first});
    if (due) due_.emplace(*due, entry->first);
    entry->second.due = due;
}

void RoomHost::deliver(engine::DeliveryActions actions, ShardStep& step) {
    for (engine::DeliveryAction& action : actions) {
        if (const auto* progress = std::get_if<engine::Archived>(&action))
            archived(*progress, step);
        std::visit([&](auto& what) { step.actions.emplace_back(std::move(what)); }, action);
    }
}

void RoomHost::archived(const engine::Archived& archived, ShardStep& step) {
    for (const auto& [room, seq] : archived.rooms) {
        const auto entry = rooms_.find(room);
        if (entry == rooms_.end() || !entry->second.room) continue;
        entry->second.room->on_archived(seq);
        reschedule(entry, step.now);
    }
}

}  // namespace chatx::node
