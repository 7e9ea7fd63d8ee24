#include "engine/room.h"

#include "engine/replies.h"

#include <algorithm>
#include <span>
#include <utility>

namespace chatx::engine {

namespace {

constexpr std::string_view persistence_label = "persistence";
constexpr Duration retry_after_load = std::chrono::milliseconds(100);

SendPipeline::Options send_options(const RoomOptions& options) {
    return {
        options.message_size_limit,
        options.queue_limit,
        options.send_deadline,
        options.check_deadline,
        options.moderation_fails_open,
        options.rate_limit,
        options.dedupe};
}

}  // namespace

Room::Room(
    RoomId id, const RoomOptions& options, const Chain& chain, RoomState state, TimePoint now)
    : id_(std::move(id)),
      options_(options),
      last_ticket_(state.tickets_before),
      sends_(
          send_options(options),
          chain,
          {state.epoch, state.seq, state.last_id, state.last_inserted_at},
          last_ticket_),
      history_(
          options.history,
          {state.epoch,
           state.seq,
           state.last_id,
           std::move(state.epochs),
           std::move(state.recent),
           options.archive}),
      feed_(options.presence),
      idle_since_(now) {
    remember(state, now);
}

void Room::join(Join request, Step& step) {
    idle_since_ = step.now;
    cancel_join(request.member, "another join of this connection came", step);
    if (auto refusal = refusal_of(request)) {
        refuse<JoinReply>(step, request.reply_to, std::move(*refusal));
        return;
    }
    CatchUp catch_up(request.resume);
    CatchUp::Next next = catch_up.begin(history_);
    advance({std::move(request), std::move(catch_up)}, std::move(next), step);
}

void Room::leave(const Leave& request, Step& step) {
    idle_since_ = step.now;
    cancel_join(request.member, "the connection left before the join was complete", step);
    publish(audience_.leave(request.member), step);
}

void Room::send(Send request, Step& step) {
    idle_since_ = step.now;
    sends_.send(id_, std::move(request), step);
}

void Room::typing(const Typing& request, Step& step) {
    if (!audience_.shows(request.member, request.user)) return;
    idle_since_ = step.now;
    step.actions.emplace_back(Broadcast{request, audience_.edges()});
}

void Room::signal(Signal request, Step& step) {
    if (!audience_.shows(request.member, request.user)) return;
    idle_since_ = step.now;
    step.actions.emplace_back(Broadcast{std::move(request), audience_.edges()});
}

void Room::read_history(const ReadHistory& request, Step& step) {
    idle_since_ = step.now;
    auto page_or_read = history_.read(request.range);
    if (auto* page = std::get_if<HistoryPage>(&page_or_read)) {
        reply(step, request.reply_to, std::move(*page));
    } else if (loads_full()) {
        refuse<HistoryPage>(step, request.reply_to, {Reason::queue_overflow, {}, retry_after_load});
    } else {
        auto& read = std::get<PendingRead>(page_or_read);
        const HistoryRange asked = read.asked;
        begin_load(asked, LoadingRead{request.reply_to, std::move(read)}, step);
    }
}

void Room::drop_edge(EdgeId edge, Step& step) {
    idle_since_ = step.now;
    auto joining = joining_.lower_bound(MemberKey{edge, 0});
    while (joining != joining_.end() && joining->first.edge == edge) {
        const MemberKey member = (joining++)->first;
        cancel_join(member, "the connection ended before the join was complete", step);
    }
    publish(audience_.drop_edge(edge), step);
}

void Room::on_verdict(Ticket ticket, Verdict verdict, Step& step) {
    idle_since_ = step.now;
    sends_.on_verdict(ticket, std::move(verdict), step);
}

void Room::on_check_failed(Ticket ticket, Step& step) {
    idle_since_ = step.now;
    sends_.on_check_failed(ticket, step);
}

void Room::on_loaded(Ticket ticket, Result<HistoryPage> page, Step& step) {
    idle_since_ = step.now;
    auto load = take_load(ticket);
    if (!load) return;
    if (!page || !history_.plausible(id_, load->asked, *page)) {
        load_failed(std::move(*load), Metric::adapter_error, step);
    } else if (auto* join = std::get_if<LoadingJoin>(&load->what)) {
        CatchUp::Next next = join->catch_up.on_loaded(history_, *std::move(page));
        advance(std::move(*join), std::move(next), step);
    } else {
        const auto& read = std::get<LoadingRead>(load->what);
        reply(step, read.reply_to, history_.finish(read.read, *std::move(page)));
    }
}

void Room::apply(const MessagePtr& message, Step& step) {
    if (!message || !next_in_order(*message)) return;
    idle_since_ = step.now;
    history_.append(message);
    if (audience_.size() > 0) {
        step.actions.emplace_back(Broadcast{message, audience_.edges()});
        count(step, Metric::broadcast);
    }
    sends_.applied(*message, step);
    step.actions.emplace_back(Deliver{message});
    count(step, Metric::message_sent);
}

void Room::fail_uncommitted(Epoch epoch, Step& step) {
    idle_since_ = step.now;
    history_.begin_epoch(epoch);
    sends_.fail_uncommitted(epoch, history_.head(), step);
}

void Room::on_archived(Seq seq) {
    history_.on_archived(seq);
}

void Room::tick(Step& step) {
    sends_.tick(step);
    tell(feed_.tick(presence(), step.now), step);
    while (!loads_.empty() && loads_.begin()->second.deadline <= step.now) {
        auto load = take_load(loads_.begin()->first);
        load_failed(std::move(*load), Metric::adapter_timeout, step);
    }
}

std::optional<TimePoint> Room::deadline() const {
    std::optional<TimePoint> earliest = sends_.deadline();
    const auto keep_earlier = [&](std::optional<TimePoint> other) {
        if (other && (!earliest || *other < *earliest)) earliest = other;
    };
    if (!loads_.empty()) keep_earlier(loads_.begin()->second.deadline);
    keep_earlier(feed_.deadline());
    return earliest;
}

bool Room::can_close() const {
    const bool kept_elsewhere =
        head().value == 0 || (options_.archive && history_.archived() == head());
    const auto remembered = sends_.oldest_remembered();
    const bool brought_back =
        !remembered || head().value - remembered->value < options_.dedupe.entries_max;
    return audience_.size() == 0 && loads_.empty() && sends_.queue_size() == 0 && kept_elsewhere
           && brought_back && sends_.rates_full();
}

void Room::advance(LoadingJoin join, CatchUp::Next next, Step& step) {
    if (auto* found = std::get_if<CatchUp::Found>(&next)) {
        complete(join.request, std::move(*found), step);
    } else if (loads_full()) {
        refuse<JoinReply>(
            step, join.request.reply_to, {Reason::queue_overflow, {}, retry_after_load});
    } else {
        joining_[join.request.member] = last_ticket_ + 1;
        begin_load(std::get<HistoryRange>(next), std::move(join), step);
    }
}

// The order of the actions is the border: the difference that the join makes goes out before the
// edge takes the member in, so that nobody is told of what its snapshot contains.
void Room::complete(const Join& request, CatchUp::Found found, Step& step) {
    const Audience::Entry entry{request.member, request.user, request.visible, request.meta};
    publish(audience_.enter(entry, step.wall, step.entropy), step);
    reply(
        step,
        request.reply_to,
        JoinReply{
            std::move(found.messages),
            found.recovered,
            found.more,
            epoch(),
            head(),
            request.visible ? feed_.snapshot(presence()) : nullptr,
            feed_.counts() ? std::optional(Occupancy{presence().member_count()}) : std::nullopt});
}

void Room::cancel_join(const MemberKey& member, std::string_view why, Step& step) {
    const auto found = joining_.find(member);
    if (found == joining_.end()) return;
    const auto load = take_load(found->second);
    const auto& request = std::get<LoadingJoin>(load->what).request;
    refuse<JoinReply>(step, request.reply_to, {Reason::room_unavailable, std::string(why), {}});
}

void Room::publish(Presence::Change change, Step& step) {
    tell(feed_.changed(presence(), std::move(change.diff), step.now), step);
    if (change.users_left > 0) count(step, Metric::room_leave, change.users_left);
    if (change.users_joined > 0) count(step, Metric::room_join, change.users_joined);
}

void Room::tell(std::vector<PresenceFeed::News> news, Step& step) const {
    if (audience_.size() == 0) return;
    for (auto& item : news) {
        std::visit(
            [&](auto& one) {
                step.actions.emplace_back(Broadcast{std::move(one), audience_.edges()});
            },
            item);
    }
}

std::optional<Error> Room::refusal_of(const Join& request) const {
    if (request.meta.size() > options_.meta_size_max) {
        return Error{Reason::message_too_large, "presence fields", {}};
    }
    const bool known = audience_.contains(request.member);
    if (!known && audience_.size() + joining_.size() >= options_.members_max) {
        return Error{Reason::too_many_joins, "the room is full", {}};
    }
    return std::nullopt;
}

void Room::begin_load(
    const HistoryRange& asked, std::variant<LoadingJoin, LoadingRead> what, Step& step) {
    const Ticket ticket = ++last_ticket_;
    loads_.emplace(ticket, Load{step.now + options_.load_deadline, asked, std::move(what)});
    step.actions.emplace_back(LoadHistory{ticket, asked});
}

std::optional<Room::Load> Room::take_load(Ticket ticket) {
    auto found = loads_.extract(ticket);
    if (found.empty()) return std::nullopt;
    if (const auto* join = std::get_if<LoadingJoin>(&found.mapped().what)) {
        joining_.erase(join->request.member);
    }
    return std::move(found.mapped());
}

void Room::load_failed(Load load, Metric metric, Step& step) {
    count_adapter(step, metric, persistence_label);
    if (const auto* join = std::get_if<LoadingJoin>(&load.what)) {
        complete(join->request, join->catch_up.on_failed(history_), step);
    } else {
        const auto& read = std::get<LoadingRead>(load.what);
        refuse<HistoryPage>(step, read.reply_to, {Reason::adapter_error, {}, {}});
    }
}

bool Room::next_in_order(const Message& message) const {
    return message.room == id_ && message.seq == head().next() && sends_.expects(message);
}

void Room::remember(const RoomState& state, TimePoint now) {
    const auto window = std::chrono::floor<Wall::duration>(options_.dedupe.window);
    const WallTime present = std::max(state.opened_at, state.last_inserted_at);
    const std::size_t count = std::min(state.sends.size(), options_.dedupe.entries_max);
    for (const auto& send : std::span(state.sends).last(count)) {
        const WallTime said = std::min(send.reply.inserted_at, present);
        if (said > present - window) sends_.remember(send, now - (present - said));
    }
}

}  // namespace chatx::engine
