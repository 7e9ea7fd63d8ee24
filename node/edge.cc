#include "node/edge.h"

#include <chatx/assert.h>

#include "node/payloads.h"

#include <algorithm>
#include <utility>

namespace chatx::node {

const Framed& EdgeEvent::frame(proto::phoenix::Version version) const {
    if (version == proto::phoenix::Version::v2) return event_.frame;
    if (!v1_) v1_ = broadcast_frame(event_.room, event_.event, version);
    return *v1_;
}

std::uint64_t Edge::add(Subscriber& subscriber) {
    connections_.emplace(++last_connection_, &subscriber);
    return last_connection_;
}

void Edge::remove(std::uint64_t connection) {
    connections_.erase(connection);
}

void Edge::attach(const RoomId& room, Subscriber& subscriber) {
    rooms_[room].push_back(&subscriber);
}

void Edge::detach(const RoomId& room, Subscriber& subscriber) {
    const auto found = rooms_.find(room);
    if (found == rooms_.end()) return;
    auto& subscribers = found->second;
    const auto position = std::find(subscribers.begin(), subscribers.end(), &subscriber);
    if (position == subscribers.end()) return;
    *position = subscribers.back();
    subscribers.pop_back();
    if (subscribers.empty()) rooms_.erase(found);
}

void Edge::handle(const RoomEvent& event) {
    const auto found = rooms_.find(event.room);
    if (found == rooms_.end()) return;
    const EdgeEvent edge_event(event);
    for (Subscriber* subscriber : found->second)
        subscriber->on_event(edge_event);
}

// They may attach again at once, so the list is theirs no more.
void Edge::handle(const RoomReset& reset) {
    const auto ended = rooms_.extract(reset.room);
    if (ended.empty()) return;
    for (Subscriber* subscriber : ended.mapped())
        subscriber->on_room_reset(reset.room);
}

void Edge::handle(engine::Replied reply) {
    CHATX_ASSERT(reply.to.edge == id_);
    const auto found = connections_.find(reply.to.connection);
    if (found != connections_.end()) found->second->on_reply(std::move(reply));
}

void Edge::handle(const Authorized& answer) {
    const auto found = connections_.find(answer.connection);
    if (found != connections_.end()) found->second->on_authorized(answer);
}

}  // namespace chatx::node
