#include "node/gateway/room_visitor.h"

#include <utility>
#include <variant>

namespace chatx::node {

RoomVisitor::RoomVisitor(SessionPort& port, RoomId room, Ears ears)
    : port_(port), room_(std::move(room)), ears_(std::move(ears)), id_(port.edge().add(*this)) {}

RoomVisitor::~RoomVisitor() {
    if (attached_) port_.edge().detach(room_, *this);
    if (listener_) port_.request(RoomCommand{room_, engine::Leave{member()}});
    port_.edge().remove(id_);
}

void RoomVisitor::send(engine::Send send) {
    send.reply_to = reply_to();
    port_.request(RoomCommand{room_, std::move(send)});
}

void RoomVisitor::read(const HistoryRange& range) {
    port_.request(RoomCommand{room_, engine::ReadHistory{reply_to(), range}});
}

void RoomVisitor::listen(UserId user, std::uint32_t history) {
    listener_ = std::move(user);
    engine::Resume resume;
    resume.history = history;
    join(resume);
}

void RoomVisitor::on_reply(engine::Replied reply) {
    const auto* joined = std::get_if<Result<engine::JoinReply>>(&reply.what);
    if (joined != nullptr && joined->has_value() && !attached_) {
        attached_ = true;
        heard_ = {(*joined)->epoch, (*joined)->seq};
        port_.edge().attach(room_, *this);
    }
    ears_.replied(std::move(reply));
}

void RoomVisitor::on_authorized(const Authorized& /*answer*/) {}

void RoomVisitor::on_event(const EdgeEvent& event) {
    const auto* message = std::get_if<MessagePtr>(&event.news());
    if (message == nullptr) return;
    heard_ = {(*message)->epoch, (*message)->seq};
    ears_.said(*message);
}

void RoomVisitor::on_room_reset(const RoomId& /*room*/) {
    attached_ = false;
    engine::Resume resume;
    resume.since = heard_;
    join(resume);
}

void RoomVisitor::join(const engine::Resume& resume) {
    port_.request(RoomCommand{
        room_,
        engine::Join{
            .reply_to = reply_to(),
            .member = member(),
            .user = *listener_,
            .visible = false,
            .meta = {},
            .resume = resume}});
}

engine::MemberKey RoomVisitor::member() const {
    return {port_.edge().id(), id_};
}

engine::ReplyTo RoomVisitor::reply_to() const {
    return {.edge = port_.edge().id(), .connection = id_, .request = 0};
}

}  // namespace chatx::node
