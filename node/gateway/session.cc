#include "node/gateway/session.h"

#include <chatx/assert.h>

#include "node/gateway/payload_reader.h"
#include "node/payloads.h"
#include "proto/phoenix_binary.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

namespace chatx::node {

namespace json = proto::json;
namespace phoenix = proto::phoenix;
namespace websocket = proto::websocket;

namespace {

constexpr std::string_view room_prefix = "room:";
constexpr std::string_view message_event = "new_message";
constexpr std::string_view typing_event = "typing";
constexpr std::string_view history_event = "history";
constexpr std::string_view gap_event = "gap";
constexpr std::string_view rebase_event = "rebase";

/// Whether an event has a meaning here, from whomever it comes.
bool is_own_event(std::string_view event) {
    constexpr std::array own{
        message_event, typing_event, history_event, occupancy_event, gap_event, rebase_event};
    return std::ranges::find(own, event) != own.end();
}

/// A client that is refused because the node stops finds another node by then, or this one anew.
constexpr auto drain_retry_after = std::chrono::seconds(1);

Error refusal(Reason reason, std::string detail) {
    return Error{reason, std::move(detail), std::nullopt};
}

Error shutting_down() {
    return Error{Reason::shutting_down, "the node is being stopped", drain_retry_after};
}

/// What the client is told when the auth adapter allows nothing, whatever it was.
Error refusal_of(const Error& answer) {
    if (answer.reason != Reason::timeout) return answer;
    return refusal(Reason::adapter_error, "the auth adapter did not answer in time");
}

/// The response of a reply, as JSON.
Result<std::string> to_answer(const Result<engine::SendReply>& result, bool /*oldest_first*/) {
    if (!result) return result.error();
    return to_json(*result);
}

Result<std::string> to_answer(const Result<HistoryPage>& result, bool oldest_first) {
    if (!result) return result.error();
    if (!result->anchor_known)
        return refusal(Reason::invalid_content, "`after_id` names no message of this room");
    return to_json(*result, oldest_first);
}

/// Joins are answered elsewhere, with more than a response.
Result<std::string> to_answer(const Result<engine::JoinReply>& /*result*/, bool /*oldest_first*/) {
    return std::string("{}");
}

}  // namespace

Session::Session(
    const SessionOptions& options, SessionPort& port, Transport& transport, SessionClient client)
    : options_(options),
      port_(port),
      transport_(transport),
      client_(std::move(client)),
      id_(port.edge().add(*this)),
      limiter_(options.rates, client_.address) {}

Session::~Session() {
    for (auto& [topic, membership] : memberships_)
        leave_room(membership.room);
    port_.edge().remove(id_);
}

void Session::on_text(std::string_view text, json::Parser& parser) {
    if (closed_) return;
    auto decoded = phoenix::decode(parser, client_.version, text);
    if (const auto* malformed = std::get_if<phoenix::Malformed>(&decoded)) {
        return close(websocket::CloseCode::protocol_error, malformed->what);
    }
    on_frame({std::get<Frame>(std::move(decoded)), std::nullopt, text.size()});
}

void Session::on_binary(std::string_view message) {
    if (closed_) return;
    if (client_.version == phoenix::Version::v1)
        return close(websocket::CloseCode::protocol_error, "version 1 has no binary frames");
    auto decoded = phoenix::decode_binary(message);
    if (const auto* malformed = std::get_if<phoenix::Malformed>(&decoded)) {
        return close(websocket::CloseCode::protocol_error, malformed->what);
    }
    auto& push = std::get<phoenix::BinaryPush>(decoded);
    Frame frame{
        std::move(push.join_ref),
        std::move(push.ref),
        std::move(push.topic),
        std::move(push.event),
        {}};
    on_frame({std::move(frame), std::string(push.payload), message.size()});
}

bool Session::on_control_frame() {
    const auto refused = limiter_.take_heartbeat(port_.now());
    if (refused) (void)cut_off(*refused);
    return !refused;
}

void Session::on_frame(Received received) {
    ++frames_in_;
    const Frame& frame = received.frame;
    // An overloaded client may still show that it lives.
    if (frame.topic == phoenix::connection_topic && frame.event == phoenix::heartbeat_event) {
        if (!within(frame, limiter_.take_heartbeat(port_.now()))) return;
        return write([&](std::string& out) {
            phoenix::append_heartbeat_reply(out, client_.version, frame.ref);
        });
    }
    if (!passes(frame)) return;
    if (frame.topic == phoenix::connection_topic) return unmatched(frame);
    on_topic_frame(std::move(received));
}

void Session::on_topic_frame(Received received) {
    const Frame& frame = received.frame;
    const auto membership = memberships_.find(frame.topic);
    if (membership != memberships_.end()) return handle(membership, std::move(received));
    if (frame.event == phoenix::join_event) return join(frame);
    if (frame.event == phoenix::leave_event) return reply_ok(frame.join_ref, frame, "{}");
    unmatched(frame);
}

void Session::handle(Memberships::iterator membership, Received received) {
    const Frame& frame = received.frame;
    Membership& state = membership->second;
    if (state.joining || state.asked) return hold(state, std::move(received));
    CHATX_ASSERT(state.joined);
    if (frame.event == phoenix::join_event) return start_join(state, frame);
    if (!frame.join_ref.is_null() && frame.join_ref != state.joined->join_ref)
        return;  // Of another membership.
    if (frame.event == phoenix::leave_event) return leave(membership, frame);
    push(state, std::move(received));
}

void Session::hold(Membership& membership, Received received) {
    if (membership.held.size() >= options_.held_max
        || held_bytes_ + received.bytes > options_.held_bytes_max) {
        return reply_error(
            received.frame.join_ref,
            received.frame,
            refusal(Reason::queue_overflow, "what came before is not decided yet"));
    }
    held_bytes_ += received.bytes;
    membership.held.push_back(std::move(received));
}

void Session::join(const Frame& frame) {
    if (!frame.topic.starts_with(room_prefix)) return unmatched(frame);
    auto room = RoomId::parse(std::string_view(frame.topic).substr(room_prefix.size()));
    if (!room) return reply_error(frame.join_ref, frame, room.error());
    if (memberships_.size() >= options_.joins_max) {
        count_refusal(Reason::too_many_joins);
        const std::string response =
            R"({"reason":")" + std::string(phoenix::too_many_channels) + R"("})";
        return write([&](std::string& out) {
            phoenix::append_reply(
                out,
                client_.version,
                {frame.join_ref, frame.ref, frame.topic, phoenix::Status::error, response});
        });
    }
    Membership& membership =
        memberships_.emplace(frame.topic, Membership{*std::move(room), {}, {}, {}, {}})
            .first->second;
    start_join(membership, frame);
}

void Session::start_join(Membership& membership, const Frame& frame) {
    const std::uint64_t request = ++last_request_;
    joins_.emplace(request, frame.topic);
    engine::Join command{
        .reply_to = reply_to(request),
        .member = member(),
        .user = client_.user,
        .visible = true,
        .meta = {},
        .resume = to_resume(frame.payload),
    };
    if (!options_.authorize) {
        membership.joining = Joining{frame.join_ref, frame.ref, request, {}};
        return port_.request({membership.room, std::move(command)});
    }
    membership.joining = Joining{frame.join_ref, frame.ref, request, std::move(command)};
    port_.authorize({id_, request, client_.user, membership.room, AuthAction::join});
}

void Session::leave(Memberships::iterator membership, const Frame& frame) {
    const Joined joined = *membership->second.joined;
    leave_room(membership->second.room);
    memberships_.erase(membership);
    reply_ok(joined.id, frame, "{}");
    write_close(joined.join_ref, frame.topic);
}

void Session::push(Membership& membership, Received received) {
    if (received.binary) return push_binary(membership, std::move(received));
    const Frame& frame = received.frame;
    const Ref& id = membership.joined->id;
    if (frame.event == typing_event) return type(membership, frame);
    if (phoenix::is_reserved_event(frame.event)) {
        return reply_error(id, frame, refusal(Reason::unauthorized, "this event is the server's"));
    }
    if (frame.event != message_event && frame.event != history_event) {
        return reply_error(id, frame, refusal(Reason::invalid_content, "no such event"));
    }
    if (pending_.size() >= options_.requests_max) {
        return reply_error(
            id, frame, refusal(Reason::queue_overflow, "too many requests without an answer"));
    }
    if (frame.event == message_event) return send(membership, frame);
    read_history(membership, frame);
}

void Session::push_binary(Membership& membership, Received received) {
    const Frame& frame = received.frame;
    const Ref& id = membership.joined->id;
    if (phoenix::is_reserved_event(frame.event) || is_own_event(frame.event)) {
        return reply_error(
            id, frame, refusal(Reason::invalid_content, "this event is never binary"));
    }
    if (received.binary->size() > options_.message_size_limit)
        return reply_error(id, frame, refusal(Reason::message_too_large, {}));
    if (const auto refused = limiter_.take_signal(port_.now())) {
        port_.count(refused->limit);
        return reply_error(
            id, frame, Error{Reason::rate_limited, "too many signals", refused->retry_after});
    }
    if (!options_.authorize) return signal(membership, std::move(received));
    const std::uint64_t request = ++last_request_;
    signals_.emplace(request, frame.topic);
    membership.asked = AskedSignal{request, std::move(received)};
    port_.authorize({id_, request, client_.user, membership.room, AuthAction::send});
}

void Session::signal(const Membership& membership, Received received) {
    reply_ok_binary(membership.joined->id, received.frame);
    port_.request(
        {membership.room,
         engine::Signal{
             .member = member(),
             .user = client_.user,
             .event = std::move(received.frame.event),
             .payload = *std::move(received.binary)}});
}

// Beyond its rate it goes nowhere, and the client hears ok all the same: nothing it could do would
// be better than going on.
void Session::type(const Membership& membership, const Frame& frame) {
    if (const auto refused = limiter_.take_typing(port_.now())) {
        port_.count(refused->limit);
    } else {
        port_.request({membership.room, engine::Typing{member(), client_.user}});
    }
    reply_ok(membership.joined->id, frame, "{}");
}

void Session::send(const Membership& membership, const Frame& frame) {
    const Ref& id = membership.joined->id;
    if (port_.draining()) return reply_error(id, frame, shutting_down());
    auto message = to_message(frame.payload, options_.message_size_limit);
    if (!message) return reply_error(id, frame, message.error());
    const std::uint64_t request = ++last_request_;
    pending_.emplace(request, Pending{frame.topic, id, frame.ref, true});
    port_.request(
        {membership.room,
         engine::Send{
             .reply_to = reply_to(request),
             .user = client_.user,
             .content = std::move(message->content),
             .client_id = std::move(message->client_id),
             .answers = message->answers}});
}

void Session::read_history(const Membership& membership, const Frame& frame) {
    const Ref& id = membership.joined->id;
    const auto range = to_range(frame.payload);
    if (!range) return reply_error(id, frame, range.error());
    const std::uint64_t request = ++last_request_;
    const bool oldest_first = range->after_id || range->after;
    pending_.emplace(request, Pending{frame.topic, id, frame.ref, oldest_first});
    port_.request({membership.room, engine::ReadHistory{reply_to(request), *range}});
}

void Session::on_reply(engine::Replied reply) {
    if (std::holds_alternative<Result<engine::JoinReply>>(reply.what)) return on_joined(reply);
    const auto pending = pending_.find(reply.to.request);
    if (pending == pending_.end()) return;
    const Pending asked = std::move(pending->second);
    pending_.erase(pending);

    // The membership may be over; clients drop an answer to an old one themselves.
    const auto answer = std::visit(
        [&](const auto& result) { return to_answer(result, asked.oldest_first); }, reply.what);
    const std::string response = answer ? *answer : to_json(answer.error());
    const phoenix::Status status = answer ? phoenix::Status::ok : phoenix::Status::error;
    write([&](std::string& out) {
        phoenix::append_reply(
            out, client_.version, {asked.join_ref, asked.ref, asked.topic, status, response});
    });
}

void Session::on_authorized(const Authorized& answer) {
    const auto topic = joins_.find(answer.request);
    if (topic == joins_.end()) return on_signal_authorized(answer);
    const auto membership = memberships_.find(topic->second);
    CHATX_ASSERT(membership != memberships_.end() && membership->second.joining);
    Joining& joining = *membership->second.joining;
    if (!joining.command) return;  // Answered before.
    if (!answer.result) {
        count_unauthorized(answer);
        const Error refused = refusal_of(answer.result.error());
        count_refusal(refused.reason);
        return refuse_join(membership, refused);
    }
    port_.request({membership->second.room, *std::exchange(joining.command, std::nullopt)});
}

// The membership may have ended, or be another one: then nobody waits for it.
void Session::on_signal_authorized(const Authorized& answer) {
    const auto topic = signals_.extract(answer.request);
    if (topic.empty()) return;
    const auto found = memberships_.find(topic.mapped());
    if (found == memberships_.end()) return;
    Membership& membership = found->second;
    if (!membership.asked || membership.asked->request != answer.request) return;
    Received received = std::exchange(membership.asked, std::nullopt)->received;
    if (answer.result) {
        signal(membership, std::move(received));
    } else {
        count_unauthorized(answer);
        reply_error(membership.joined->id, received.frame, refusal_of(answer.result.error()));
    }
    release(std::exchange(membership.held, {}));
}

void Session::count_unauthorized(const Authorized& answer) {
    if (answer.result.error().reason != Reason::timeout) return;
    port_.count(engine::Event{
        .metric = engine::Metric::adapter_timeout, .value = 1, .reason = {}, .label = "auth"});
}

void Session::on_joined(const engine::Replied& reply) {
    const auto topic = joins_.find(reply.to.request);
    if (topic == joins_.end()) return;
    const auto membership = memberships_.find(topic->second);
    CHATX_ASSERT(membership != memberships_.end() && membership->second.joining);
    const auto& result = std::get<Result<engine::JoinReply>>(reply.what);
    if (!result) return refuse_join(membership, result.error());
    joins_.erase(topic);
    accept_join(membership, *result);
    release(std::exchange(membership->second.held, {}));
}

void Session::accept_join(Memberships::iterator membership, const engine::JoinReply& reply) {
    const std::string& topic = membership->first;
    Membership& state = membership->second;
    const Joining joining = *std::exchange(state.joining, std::nullopt);
    const std::optional<Joined> old = std::exchange(
        state.joined,
        Joined{joining.join_ref, joining.join_ref.is_null() ? joining.ref : joining.join_ref});
    if (!old) port_.edge().attach(state.room, *this);
    missed_.erase(state.room);

    // A client of version 1 takes a close behind the reply for one of the new membership; without
    // refs it takes any for that, and is told of none.
    const bool close_first = client_.version == phoenix::Version::v1;
    if (old && close_first && !old->join_ref.is_null()) write_close(old->join_ref, topic);
    // Who comes back to many rooms at once gets no more than it can be sent: the rest is `more`.
    const std::size_t page_bytes = std::min(page_bytes_max, transport_.free_bytes() / 4);
    const std::string response = to_json(reply, options_.node, page_bytes);
    write([&](std::string& out) {
        phoenix::append_reply(
            out,
            client_.version,
            {joining.join_ref, joining.ref, topic, phoenix::Status::ok, response});
    });
    if (old && !close_first) write_close(old->join_ref, topic);
    if (reply.presence)
        write_push(
            state.joined->id, topic, phoenix::presence_state_event, to_json(*reply.presence));
    if (reply.occupancy)
        write_push(state.joined->id, topic, occupancy_event, to_json(*reply.occupancy));
}

// A refused duplicate join ends the membership it wanted to replace, as in Phoenix.
void Session::refuse_join(Memberships::iterator membership, const Error& error) {
    const std::string topic = membership->first;
    Membership& state = membership->second;
    const Joining joining = *std::exchange(state.joining, std::nullopt);
    joins_.erase(joining.request);
    const std::string response = to_json(error);
    write([&](std::string& out) {
        phoenix::append_reply(
            out,
            client_.version,
            {joining.join_ref, joining.ref, topic, phoenix::Status::error, response});
    });
    if (state.joined) {
        leave_room(state.room);
        write_close(state.joined->join_ref, topic);
    }
    std::vector<Received> held = std::move(state.held);
    memberships_.erase(membership);
    release(std::move(held));
}

// Among them may be another join, behind which the rest waits again.
void Session::release(std::vector<Received> held) {
    for (Received& waiting : held) {
        held_bytes_ -= waiting.bytes;
        on_topic_frame(std::move(waiting));
    }
}

// Who types or signals knows it.
void Session::on_event(const EdgeEvent& event) {
    if (closed_) return;
    const auto* typing = std::get_if<engine::Typing>(&event.news());
    if (typing != nullptr && typing->member == member()) return;
    const auto* signal = std::get_if<engine::Signal>(&event.news());
    if (signal != nullptr && (signal->member == member() || !hears_binary())) return;
    if (!options_.gaps) return transport_.send(event.frame(client_.version));
    const bool silent = !missed_.empty() && missed_.contains(event.room());
    if (silent || !transport_.offer(event.frame(client_.version))) leave_out(event);
}

void Session::leave_out(const EdgeEvent& event) {
    port_.count_left_out();
    const auto* message = std::get_if<MessagePtr>(&event.news());
    const bool ephemeral = std::holds_alternative<engine::Typing>(event.news())
                           || std::holds_alternative<engine::Signal>(event.news());
    if (ephemeral) return;
    Missed& missed = missed_[event.room()];
    if (message == nullptr) {
        missed.presence = true;
        return;
    }
    if (!missed.from) missed.from = (*message)->seq;
    missed.to = (*message)->seq;
}

void Session::on_flushed() {
    if (missed_.empty() || closed_ || !transport_.drained()) return;
    for (const auto& [room, missed] : std::exchange(missed_, {}))
        tell_missed(room, missed);
}

// Behind a join that is on its way no leave may follow: it would end that one.
void Session::tell_missed(const RoomId& room, const Missed& missed) {
    const auto membership = memberships_.find(topic_of(room));
    if (membership == memberships_.end() || !membership->second.joined) return;
    ++gaps_;
    port_.count_gap();
    if (!missed.presence) {
        const std::string payload = R"({"from":)" + std::to_string(missed.from->value) + R"(,"to":)"
                                    + std::to_string(missed.to.value) + R"(,"reason":")"
                                    + std::string(phoenix::slow_consumer) + R"("})";
        return write_push(membership->second.joined->id, membership->first, gap_event, payload);
    }
    const Joined ended = *std::exchange(membership->second.joined, std::nullopt);
    write_error(ended.join_ref, membership->first, phoenix::slow_consumer);
    if (membership->second.joining) {
        port_.edge().detach(room, *this);
    } else {
        leave_room(room);
        memberships_.erase(membership);
    }
}

// A join that is on its way reaches the room's next object, and is answered by it.
void Session::on_room_reset(const RoomId& room) {
    missed_.erase(room);
    const auto membership = memberships_.find(topic_of(room));
    if (membership == memberships_.end() || !membership->second.joined) return;
    const Joined ended = *std::exchange(membership->second.joined, std::nullopt);
    write_error(ended.join_ref, membership->first, phoenix::channel_crash);
    if (membership->second.joining) return;
    std::vector<Received> held = std::move(membership->second.held);
    memberships_.erase(membership);
    release(std::move(held));
}

bool Session::hears_binary() const {
    return client_.version == phoenix::Version::v2 && transport_.takes_binary();
}

void Session::close(websocket::CloseCode code, std::string_view reason) {
    if (closed_) return;
    closed_ = code;
    transport_.close(code, reason);
}

std::vector<std::string> Session::topics() const {
    std::vector<std::string> topics;
    topics.reserve(memberships_.size());
    for (const auto& [topic, membership] : memberships_)
        topics.push_back(topic);
    return topics;
}

void Session::leave_room(const RoomId& room) {
    missed_.erase(room);
    port_.edge().detach(room, *this);
    port_.request({room, engine::Leave{member()}});
}

// What every frame has to pass, and then joins.
bool Session::passes(const Frame& frame) {
    const TimePoint now = port_.now();
    if (!within(frame, limiter_.take_frame(now))) return false;
    if (frame.event != phoenix::join_event) return true;
    if (port_.draining()) {
        reply_error(frame.join_ref, frame, shutting_down());
        return false;
    }
    return within(frame, limiter_.take_join(now));
}

bool Session::within(const Frame& frame, const FrameLimiter::Outcome& refused) {
    if (!refused) return true;
    if (!cut_off(*refused)) {
        reply_error(
            frame.join_ref,
            frame,
            Error{Reason::rate_limited, "too many frames", refused->retry_after});
    }
    return false;
}

// Counts a refusal; true when it was one too many.
bool Session::cut_off(const FrameLimiter::Refused& refused) {
    port_.count(refused.limit);
    if (!limiter_.struck_out()) return false;
    close(websocket::CloseCode::policy_violation, "too many frames");
    return true;
}

void Session::reply_ok(const Ref& join_ref, const Frame& frame, std::string_view response) {
    write([&](std::string& out) {
        phoenix::append_reply(
            out,
            client_.version,
            {join_ref, frame.ref, frame.topic, phoenix::Status::ok, response});
    });
}

// An answer to bytes is bytes, where the refs can be said in them.
void Session::reply_ok_binary(const Ref& join_ref, const Frame& frame) {
    const auto join_ref_text = join_ref.plain_text();
    const auto ref_text = frame.ref.plain_text();
    if (!join_ref_text || !ref_text || !transport_.takes_binary())
        return reply_ok(join_ref, frame, "{}");
    if (closed_ || transport_.full()) return;
    std::string message;
    phoenix::append_binary_reply(
        message, {*join_ref_text, *ref_text, frame.topic, phoenix::Status::ok, {}});
    transport_.send_binary(message);
}

void Session::reply_error(const Ref& join_ref, const Frame& frame, const Error& error) {
    count_refusal(error.reason);
    const std::string response = to_json(error);
    write([&](std::string& out) {
        phoenix::append_reply(
            out,
            client_.version,
            {join_ref, frame.ref, frame.topic, phoenix::Status::error, response});
    });
}

void Session::count_refusal(Reason reason) {
    ++refused_;
    port_.count(engine::Event{
        .metric = engine::Metric::rejected, .value = 1, .reason = reason, .label = {}});
}

void Session::unmatched(const Frame& frame) {
    write([&](std::string& out) {
        phoenix::append_unmatched_topic(out, client_.version, frame.ref, frame.topic);
    });
}

void Session::write_close(const Ref& join_ref, std::string_view topic) {
    write([&](std::string& out) { phoenix::append_close(out, client_.version, join_ref, topic); });
}

void Session::write_error(const Ref& join_ref, std::string_view topic, std::string_view reason) {
    write([&](std::string& out) {
        phoenix::append_error(out, client_.version, join_ref, topic, reason);
    });
}

void Session::write_push(
    const Ref& id, std::string_view topic, std::string_view event, std::string_view payload) {
    write([&](std::string& out) {
        phoenix::append_push(out, client_.version, {id, topic, event, payload});
    });
}

template <class Encode>
void Session::write(Encode&& encode) {
    if (closed_ || transport_.full()) return;
    std::string text;
    encode(text);
    transport_.send_text(text);
}

engine::MemberKey Session::member() const {
    return {port_.edge().id(), id_};
}

engine::ReplyTo Session::reply_to(std::uint64_t request) const {
    return {port_.edge().id(), id_, request};
}

}  // namespace chatx::node
