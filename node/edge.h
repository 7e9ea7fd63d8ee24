#pragma once

#include <chatx/ids.h>

#include "node/messages.h"
#include "proto/phoenix.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace chatx::node {

/// An event on its way to the connections of one edge. Lives as long as the call that brings it.
class EdgeEvent {
public:
    explicit EdgeEvent(const RoomEvent& event) : event_(event) {}

    [[nodiscard]] const engine::RoomNews& news() const { return event_.event; }

    [[nodiscard]] const RoomId& room() const { return event_.room; }

    /// For those who speak this version of the protocol. V1 is made when the first of them comes.
    [[nodiscard]] const Framed& frame(proto::phoenix::Version version) const;

private:
    const RoomEvent& event_;
    mutable std::optional<Framed> v1_;
};

/// A connection, as the edge sees it. Lives on the shard's loop.
class Subscriber {
public:
    Subscriber() = default;
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;
    virtual ~Subscriber() = default;

    /// The answer to one of its requests.
    virtual void on_reply(engine::Replied reply) = 0;

    /// The answer of the auth adapter.
    virtual void on_authorized(const Authorized& answer) = 0;

    /// Something happened in a room it is attached to. May not attach or detach from inside.
    virtual void on_event(const EdgeEvent& event) = 0;

    /// Its membership of a room it was attached to has ended with the room; it is attached no more.
    virtual void on_room_reset(const RoomId& room) = 0;
};

/// The connections of one shard: which of them hear which room. A room sends one copy of an event
/// to an edge; the edge spreads it. Lives on the shard's loop; without I/O.
class Edge {
public:
    explicit Edge(engine::EdgeId id) : id_(id) {}

    [[nodiscard]] engine::EdgeId id() const { return id_; }

    /// Takes a connection in and names it. It stays until `remove`.
    std::uint64_t add(Subscriber& subscriber);

    /// Forgets a connection, which must be attached nowhere.
    void remove(std::uint64_t connection);

    /// From now on the connection hears the room's events. Once for each connection and room.
    void attach(const RoomId& room, Subscriber& subscriber);
    void detach(const RoomId& room, Subscriber& subscriber);

    void handle(const RoomEvent& event);
    void handle(const RoomReset& reset);
    void handle(engine::Replied reply);
    void handle(const Authorized& answer);

    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

private:
    engine::EdgeId id_;
    std::uint64_t last_connection_ = 0;
    std::unordered_map<std::uint64_t, Subscriber*> connections_;
    std::map<RoomId, std::vector<Subscriber*>> rooms_;
};

}  // namespace chatx::node
