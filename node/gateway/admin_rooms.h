#pragma once

#include <chatx/ids.h>

#include "node/gateway/admin_context.h"
#include "node/gateway/http_server.h"
#include "node/gateway/room_rows.h"
#include "node/gateway/room_visitor.h"
#include "proto/json.h"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// The rooms of the admin API. What a room knows is read on the loop of its shard and answered from
/// the control loop, where this lives; every wait has a deadline.
class AdminRooms {
public:
    explicit AdminRooms(const AdminContext& context);
    AdminRooms(const AdminRooms&) = delete;
    AdminRooms& operator=(const AdminRooms&) = delete;
    ~AdminRooms();  // While no shard runs: ends the visits that are left.

    using Answer = boost::asio::awaitable<HttpAnswer>;

    Answer list(HttpRequest request, std::string body);     // after, limit
    Answer info(HttpRequest request, std::string body);     // room
    Answer where(HttpRequest request, std::string body);    // room
    Answer members(HttpRequest request, std::string body);  // room, after, limit
    Answer history(HttpRequest request, std::string body);  // room, after, before, after_id, limit
    Answer tail(HttpRequest request, std::string body);     // room, history; a stream
    Answer reset(HttpRequest request, std::string body);    // {"room"}
    Answer send(HttpRequest request, std::string body);  // {"room","user","content","client_id"?}

private:
    /// A room that was looked for.
    struct Found {
        bool complete = true;  // Memory and store have answered.
        std::optional<RoomRow> row;
    };

    struct Members;
    struct Post;
    class Visit;

    boost::asio::awaitable<Found> find(RoomId room);
    boost::asio::awaitable<std::optional<engine::Replied>> ask_room(
        RoomId room, std::function<void(RoomVisitor&)> request);
    [[nodiscard]] std::optional<Refusal> missing(const Found& found) const;
    [[nodiscard]] std::variant<Post, Refusal> read_post(std::string_view body);
    [[nodiscard]] HttpAnswer refused(const Refusal& refusal) const;
    [[nodiscard]] HttpAnswer members_page(
        const Members& members, std::string_view after, std::size_t limit) const;
    [[nodiscard]] HttpAnswer history_page(const engine::Replied& reply, bool oldest_first) const;

    [[nodiscard]] Shard& owner(const RoomId& room) const;
    [[nodiscard]] RoomVisitors& visitors(const RoomId& room);
    void begin_visit(
        const RoomId& room,
        std::uint64_t visit,
        RoomVisitor::Ears ears,
        std::function<void(RoomVisitor&)> request);
    void end_visit(const RoomId& room, std::uint64_t visit);
    [[nodiscard]] RoomVisitor::Ears ears_of(
        const RoomId& room, std::uint64_t visit, Questions::Reply<Result<Done>> joined);
    void feed_past(std::uint64_t visit, const RoomId& room, const engine::JoinReply& reply);

    const AdminContext& context_;
    proto::json::Parser parser_;
    std::uint64_t last_visit_ = 0;
    std::map<std::uint64_t, LineFeed*> feeds_;  // Of the visits that listen.
    std::vector<RoomVisitors> visitors_;        // By shard; each belongs to its shard's loop.
};

}  // namespace chatx::node
