#include "node/gateway/room_visitor.h"

#include <utility>
#include <variant>

namespace chatx::node {

RoomVisitor::RoomVisitor(SessionPort& port, RoomId room, Ears ears)
    : port_(port), room_(std::move(room)), ears_(std::move(ears)), id_(port.edge().add(*this)) {}

RoomVisitor::~RoomVisitor() {
    if (attached_) port_.edge().detach(room_, *this);
    if (joins_) port_.request(RoomCommand{room_, engine::Leave{member()}});
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
    joins_ = true;
    engine::Join join{
        .reply_to = reply_to(),
        .member = member(),
        .user = std::move(user),
        .visible = false,
        .meta = {},
        .resume = {}};
    join.resume.history = history;
    port_.request(RoomCommand{room_, std::move(join)});
}

void RoomVisitor::on_reply(engine::Replied reply) {
    const auto* joined = std::get_if<Result<engine::JoinReply>>(&reply.what);
    if (joined != nullptr && joined->has_value() && !attached_) {
        attached_ = true;
        port_.edge().attach(room_, *this);
    }
    ears_.replied(std::move(reply));
}

void RoomVisitor::on_authorized(const Authorized& /*answer*/) {}

void RoomVisitor::on_event(const EdgeEvent& event) {
    if (const auto* message = std::get_if<MessagePtr>(&event.news())) ears_.said(*message);
}

engine::MemberKey RoomVisitor::member() const {
    return {port_.edge().id(), id_};
}

engine::ReplyTo RoomVisitor::reply_to() const {
    return {.edge = port_.edge().id(), .connection = id_, .request = 0};
}

}  // namespace chatx::node
