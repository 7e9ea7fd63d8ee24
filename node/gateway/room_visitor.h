#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>

#include "engine/actions.h"
#include "node/edge.h"
#include "node/gateway/session.h"
#include "node/messages.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace chatx::node {

/// What an operator does in one room: sends, reads or listens, as a connection of its own that
/// nobody sees. Lives on the loop of the shard that owns the room; leaves with its end.
///
/// Not authorized: who reaches the admin socket may do everything.
class RoomVisitor final : public Subscriber {
public:
    /// What it hears, told on its shard's loop.
    struct Ears {
        std::function<void(engine::Replied)> replied;
        std::function<void(MessagePtr)> said = [](const MessagePtr& /*message*/) {
        };  // Behind the answer to `listen`.
    };

    /// `port` outlives the visitor.
    RoomVisitor(SessionPort& port, RoomId room, Ears ears);
    RoomVisitor(const RoomVisitor&) = delete;
    RoomVisitor& operator=(const RoomVisitor&) = delete;
    ~RoomVisitor() override;

    // Requests; each is answered by `replied`. `reply_to` and `member` are filled in.
    void send(engine::Send send);
    void read(const HistoryRange& range);

    /// The answer has up to `history` messages; what is said later follows. When the room is reset
    /// it listens again from where it was: another answer comes, with what was missed.
    void listen(UserId user, std::uint32_t history);

    void on_reply(engine::Replied reply) override;
    void on_authorized(const Authorized& answer) override;
    void on_event(const EdgeEvent& event) override;
    void on_room_reset(const RoomId& room) override;

private:
    void join(const engine::Resume& resume);
    [[nodiscard]] engine::MemberKey member() const;
    [[nodiscard]] engine::ReplyTo reply_to() const;

    SessionPort& port_;
    RoomId room_;
    Ears ears_;
    std::uint64_t id_;
    std::optional<UserId> listener_;  // Once it listens.
    engine::Resume::Point heard_;     // Up to here.
    bool attached_ = false;
};

/// The visitors of one shard, each by the number of its visit. Made and ended on any thread while
/// the shard does not run, else used on its loop alone.
using RoomVisitors = std::map<std::uint64_t, std::unique_ptr<RoomVisitor>>;

}  // namespace chatx::node
