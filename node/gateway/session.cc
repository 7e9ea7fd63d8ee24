#include "node/gateway/session.h"

#include <chatx/assert.h>

#include "engine/validation.h"
#include "node/payloads.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace chatx::node {

namespace json = proto::json;
namespace phoenix = proto::phoenix;
namespace websocket = proto::websocket;

namespace {

constexpr auto version = phoenix::Version::v2;

constexpr std::string_view room_prefix = "room:";
constexpr std::string_view message_event = "new_message";
constexpr std::string_view typing_event = "typing";
constexpr std::string_view history_event = "history";

const json::Value* find_string(const json::Value& payload, std::string_view key) {
    const json::Value* value = payload.find(key);
    return value != nullptr && value->as_string() != nullptr ? value : nullptr;
}

std::optional<std::uint64_t> find_number(const json::Value& payload, std::string_view key) {
    const json::Value* value = payload.find(key);
    return value == nullptr ? std::nullopt : value->as_uint64();
}

/// An id may come as a string, as we send it, or as a number, as careless clients keep it.
std::optional<MessageId> to_message_id(const json::Value& value) {
    if (const std::string* text = value.as_string()) return parse_message_id(*text);
    if (const auto number = value.as_uint64()) return MessageId{*number};
    return std::nullopt;
}

std::optional<engine::Resume::Point> to_point(const json::Value& value) {
    const json::Value* epoch_text = find_string(value, "epoch");
    const auto seq = find_number(value, "seq");
    if (epoch_text == nullptr || !seq) return std::nullopt;
    const auto epoch = parse_epoch(*epoch_text->as_string());
    if (!epoch) return std::nullopt;
    return engine::Resume::Point{*epoch, Seq{*seq}};
}

engine::Resume to_resume(const json::Value& payload) {
    engine::Resume resume;
    const json::Value* last_seen = payload.find("last_seen_id");
    if (last_seen != nullptr && !last_seen->is_null()) {
        resume.last_seen_id = to_message_id(*last_seen);
        resume.unknown_point = !resume.last_seen_id;
    }
    const json::Value* since = payload.find("since");
    if (!resume.last_seen_id && since != nullptr && !since->is_null()) {
        resume.since = to_point(*since);
        resume.unknown_point = !resume.since;
    }
    const std::uint64_t history = find_number(payload, "history").value_or(0);
    resume.history = static_cast<std::uint32_t>(std::min<std::uint64_t>(history, history_page_max));
    return resume;
}

Error refusal(Reason reason, std::string detail) {
    return Error{reason, std::move(detail), std::nullopt};
}

/// A member that is there and not null.
const json::Value* given(const json::Value& payload, std::string_view key) {
    const json::Value* value = payload.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

/// A text that a client may leave out. Half of a surrogate pair is refused: what stands in its
/// place would make two different texts the same.
Result<std::optional<std::string>> text_of(const json::Value& payload, std::string_view key) {
    const json::Value* value = given(payload, key);
    if (value == nullptr) return std::optional<std::string>();
    if (value->as_string() == nullptr) {
        return refusal(Reason::invalid_content, "`" + std::string(key) + "` must be a string");
    }
    if (value->has_replaced_surrogate()) {
        return refusal(
            Reason::invalid_utf8, "`" + std::string(key) + "` has half of a surrogate pair");
    }
    return std::optional(*value->as_string());
}

/// A place in the order that a client may leave out.
Result<std::optional<Seq>> seq_of(const json::Value& payload, std::string_view key) {
    const json::Value* value = given(payload, key);
    if (value == nullptr) return std::optional<Seq>();
    const auto number = value->as_uint64();
    if (!number)
        return refusal(Reason::invalid_content, "`" + std::string(key) + "` must be a seq");
    return std::optional(Seq{*number});
}

Result<HistoryRange> to_range(const json::Value& payload) {
    HistoryRange range;
    if (const json::Value* id = given(payload, "after_id")) {
        range.after_id = to_message_id(*id);
        if (!range.after_id)
            return refusal(Reason::invalid_content, "`after_id` must be a message id");
    }
    const auto after = seq_of(payload, "after");
    if (!after) return after.error();
    const auto before = seq_of(payload, "before");
    if (!before) return before.error();
    range.after = *after;
    range.before = *before;
    const std::uint64_t limit = find_number(payload, "limit").value_or(range.limit);
    range.limit = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(limit, 1, history_page_max));
    return range;
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

Session::Session(const SessionOptions& options, SessionPort& port, Outbox& outbox, UserId user)
    : options_(options),
      port_(port),
      outbox_(outbox),
      user_(std::move(user)),
      id_(port.edge().add(*this)),
      frames_(options.frames) {}

Session::~Session() {
    for (auto& [topic, membership] : memberships_)
        leave_room(membership.room);
    port_.edge().remove(id_);
}

void Session::on_text(std::string_view text, json::Parser& parser) {
    if (closed_) return;
    auto decoded = phoenix::decode(parser, version, text);
    if (const auto* malformed = std::get_if<phoenix::Malformed>(&decoded)) {
        return close(websocket::CloseCode::protocol_error, malformed->what);
    }
    on_frame(std::get<Frame>(std::move(decoded)), text.size());
}

void Session::on_binary() {
    close(websocket::CloseCode::protocol_error, "binary frames are not understood");
}

void Session::on_frame(Frame frame, std::size_t bytes) {
    // An overloaded client may still show that it lives.
    if (frame.topic == phoenix::connection_topic && frame.event == phoenix::heartbeat_event) {
        return write(
            [&](std::string& out) { phoenix::append_heartbeat_reply(out, version, frame.ref); });
    }
    if (!within_rate(frame)) return;
    if (frame.topic == phoenix::connection_topic) return unmatched(frame);
    on_topic_frame(std::move(frame), bytes);
}

void Session::on_topic_frame(Frame frame, std::size_t bytes) {
    const auto membership = memberships_.find(frame.topic);
    if (membership != memberships_.end()) return handle(membership, std::move(frame), bytes);
    if (frame.event == phoenix::join_event) return join(std::move(frame));
    if (frame.event == phoenix::leave_event) return reply_ok(frame.join_ref, frame, "{}");
    unmatched(frame);
}

void Session::handle(Memberships::iterator membership, Frame frame, std::size_t bytes) {
    Membership& state = membership->second;
    if (state.joining) return hold(state, std::move(frame), bytes);
    CHATX_ASSERT(state.joined);
    if (frame.event == phoenix::join_event) return start_join(state, std::move(frame));
    if (!frame.join_ref.is_null() && frame.join_ref != state.joined->join_ref)
        return;  // Of another membership.
    if (frame.event == phoenix::leave_event) return leave(membership, frame);
    push(state, std::move(frame));
}

void Session::hold(Membership& membership, Frame frame, std::size_t bytes) {
    if (membership.held.size() >= options_.held_max
        || held_bytes_ + bytes > options_.held_bytes_max) {
        return reply_error(
            frame.join_ref, frame, refusal(Reason::queue_overflow, "the join is not decided yet"));
    }
    held_bytes_ += bytes;
    membership.held.push_back({std::move(frame), bytes});
}

void Session::join(Frame frame) {
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
                version,
                {frame.join_ref, frame.ref, frame.topic, phoenix::Status::error, response});
        });
    }
    Membership& membership =
        memberships_.emplace(frame.topic, Membership{*std::move(room), {}, {}, {}}).first->second;
    start_join(membership, std::move(frame));
}

void Session::start_join(Membership& membership, Frame frame) {
    const std::uint64_t request = ++last_request_;
    joins_.emplace(request, frame.topic);
    engine::Join command{
        .reply_to = reply_to(request),
        .member = member(),
        .user = user_,
        .visible = true,
        .meta = {},
        .resume = to_resume(frame.payload),
    };
    if (!options_.authorize) {
        membership.joining = Joining{frame.join_ref, frame.ref, request, {}};
        return port_.request({membership.room, std::move(command)});
    }
    membership.joining = Joining{
        frame.join_ref,
        frame.ref,
        request,
        Asking{std::move(command), port_.now() + options_.authorize_deadline}};
    port_.authorize({id_, request, user_, membership.room, AuthAction::join});
}

void Session::leave(Memberships::iterator membership, const Frame& frame) {
    const Joined joined = *membership->second.joined;
    leave_room(membership->second.room);
    memberships_.erase(membership);
    reply_ok(joined.id, frame, "{}");
    write([&](std::string& out) {
        phoenix::append_close(out, version, joined.join_ref, frame.topic);
    });
}

void Session::push(Membership& membership, Frame frame) {
    const Ref id = membership.joined->id;
    if (frame.event == typing_event) {
        port_.request({membership.room, engine::Typing{member(), user_}});
        return reply_ok(id, frame, "{}");
    }
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
    const std::uint64_t request = ++last_request_;
    Pending pending{frame.topic, id, frame.ref, true};
    if (frame.event == message_event) {
        auto send = to_send(frame, request);
        if (!send) return reply_error(id, frame, send.error());
        port_.request({membership.room, *std::move(send)});
    } else {
        const auto range = to_range(frame.payload);
        if (!range) return reply_error(id, frame, range.error());
        pending.oldest_first = range->after_id || range->after;
        port_.request({membership.room, engine::ReadHistory{reply_to(request), *range}});
    }
    pending_.emplace(request, std::move(pending));
}

Result<engine::Send> Session::to_send(const Frame& frame, std::uint64_t request) const {
    const auto content = text_of(frame.payload, "content");
    if (!content) return content.error();
    if (!*content) return refusal(Reason::invalid_content, "`content` is missing");
    const auto client_id = text_of(frame.payload, "client_id");
    if (!client_id) return client_id.error();
    engine::Send send{
        .reply_to = reply_to(request),
        .user = user_,
        .content = **content,
        .client_id = client_id->value_or(std::string()),
        .answers = std::nullopt};
    if (auto fits = engine::check_content(send.content, options_.message_size_limit); !fits)
        return fits.error();
    if (auto fits = engine::check_client_id(send.client_id); !fits) return fits.error();
    const json::Value* answers = given(frame.payload, "reply_to");
    if (answers != nullptr) {
        send.answers = to_message_id(*answers);
        if (!send.answers)
            return refusal(Reason::invalid_content, "`reply_to` must be a message id");
    }
    return send;
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
            out, version, {asked.join_ref, asked.ref, asked.topic, status, response});
    });
}

void Session::on_authorized(const Authorized& answer) {
    const auto topic = joins_.find(answer.request);
    if (topic == joins_.end()) return;
    const auto membership = memberships_.find(topic->second);
    CHATX_ASSERT(membership != memberships_.end() && membership->second.joining);
    Joining& joining = *membership->second.joining;
    if (!joining.asking) return;  // Answered before.
    if (!answer.result) {
        count_refusal(answer.result.error().reason);
        return refuse_join(membership, answer.result.error());
    }
    port_.request({membership->second.room, std::move(joining.asking->command)});
    joining.asking.reset();
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

    const std::string response = to_json(reply, options_.node);
    write([&](std::string& out) {
        phoenix::append_reply(
            out, version, {joining.join_ref, joining.ref, topic, phoenix::Status::ok, response});
    });
    if (old)
        write([&](std::string& out) { phoenix::append_close(out, version, old->join_ref, topic); });
    if (!reply.presence) return;
    const std::string presence = to_json(*reply.presence);
    write([&](std::string& out) {
        phoenix::append_push(
            out, version, {state.joined->id, topic, phoenix::presence_state_event, presence});
    });
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
            out, version, {joining.join_ref, joining.ref, topic, phoenix::Status::error, response});
    });
    if (state.joined) {
        leave_room(state.room);
        write([&](std::string& out) {
            phoenix::append_close(out, version, state.joined->join_ref, topic);
        });
    }
    std::deque<Held> held = std::move(state.held);
    memberships_.erase(membership);
    release(std::move(held));
}

// Among them may be another join, behind which the rest waits again.
void Session::release(std::deque<Held> held) {
    for (Held& waiting : held) {
        held_bytes_ -= waiting.bytes;
        on_topic_frame(std::move(waiting.frame), waiting.bytes);
    }
}

void Session::on_event(const RoomEvent& event) {
    if (closed_) return;
    const auto* typing = std::get_if<engine::Typing>(&event.event);
    if (typing != nullptr && typing->member == member()) return;
    outbox_.append(event.frame);
}

void Session::tick(TimePoint now) {
    std::vector<std::string> late;
    for (const auto& [topic, membership] : memberships_) {
        const auto& joining = membership.joining;
        if (joining && joining->asking && joining->asking->answer_by <= now) late.push_back(topic);
    }
    for (const std::string& topic : late) {
        port_.count(
            {.metric = engine::Metric::adapter_timeout, .value = 1, .reason = {}, .label = "auth"});
        count_refusal(Reason::adapter_error);
        refuse_join(
            memberships_.find(topic),
            refusal(Reason::adapter_error, "the auth adapter did not answer in time"));
    }
}

void Session::close(websocket::CloseCode code, std::string_view reason) {
    if (closed_) return;
    closed_ = code;
    websocket::append_close(outbox_.buffer(), code, reason);
    outbox_.check();
}

void Session::leave_room(const RoomId& room) {
    port_.edge().detach(room, *this);
    port_.request({room, engine::Leave{member()}});
}

bool Session::within_rate(const Frame& frame) {
    const auto retry_after = frames_.take(user_, port_.now());
    if (!retry_after) {
        strikes_ = 0;
        return true;
    }
    if (++strikes_ > options_.strikes_max) {
        close(websocket::CloseCode::policy_violation, "too many frames");
    } else {
        reply_error(
            frame.join_ref, frame, Error{Reason::rate_limited, "too many frames", retry_after});
    }
    return false;
}

void Session::reply_ok(const Ref& join_ref, const Frame& frame, std::string_view response) {
    write([&](std::string& out) {
        phoenix::append_reply(
            out, version, {join_ref, frame.ref, frame.topic, phoenix::Status::ok, response});
    });
}

void Session::reply_error(const Ref& join_ref, const Frame& frame, const Error& error) {
    count_refusal(error.reason);
    const std::string response = to_json(error);
    write([&](std::string& out) {
        phoenix::append_reply(
            out, version, {join_ref, frame.ref, frame.topic, phoenix::Status::error, response});
    });
}

void Session::count_refusal(Reason reason) {
    port_.count({.metric = engine::Metric::rejected, .value = 1, .reason = reason, .label = {}});
}

void Session::unmatched(const Frame& frame) {
    write([&](std::string& out) {
        phoenix::append_unmatched_topic(out, version, frame.ref, frame.topic);
    });
}

// Encodes a frame behind its header, whose size is known only then.
template <class Encode>
void Session::write(Encode&& encode) {
    if (closed_ || outbox_.overflowed()) return;
    std::string text;
    encode(text);
    std::string& out = outbox_.buffer();
    websocket::append_frame(out, websocket::Opcode::text, text);
    outbox_.check();
}

engine::MemberKey Session::member() const {
    return {port_.edge().id(), id_};
}

engine::ReplyTo Session::reply_to(std::uint64_t request) const {
    return {port_.edge().id(), id_, request};
}

}  // namespace chatx::node
