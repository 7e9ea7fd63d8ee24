#pragma once

#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/time.h>

#include "node/edge.h"
#include "node/messages.h"
#include "node/room_host.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

namespace chatx::node {

/// One shard of a node without sockets, clock or threads: the rooms it owns and the connections it
/// serves, joined. The shard's loop drives it in the node, a test or the simulator elsewhere.
///
/// Inputs queue up in order; `run` works them off and returns what is to be done outside. Sessions
/// may add inputs while it runs. The shard of a room is its slot modulo the number of shards.
class Core {
public:
    static constexpr Duration authorize_deadline = std::chrono::seconds(1);

    Core(RoomHost::Place place, RoomHostOptions options, engine::Chain chain, Entropy& entropy);

    /// A message for this shard.
    void push(ShardMessage message) { inbox_.push_back(std::move(message)); }

    /// A request of one of this shard's connections, for the shard that owns the room.
    void request(RoomCommand command);

    /// A question of one of this shard's connections for the auth adapter. When there is no answer
    /// within `authorize_deadline`, the connection hears of Reason::timeout at the next tick; an
    /// answer may still follow.
    void authorize(Authorize question, TimePoint now);

    /// Nothing was handed over since the last run.
    [[nodiscard]] bool idle() const { return inbox_.empty() && actions_.empty(); }

    /// Works off the inputs. The actions are the caller's to carry out, in order, and to clear
    /// before the next call.
    std::vector<ShardAction>& run(TimePoint now, WallTime wall);

    /// Lets time pass, then works off the inputs.
    std::vector<ShardAction>& tick(TimePoint now, WallTime wall);

    /// Lets delivery wait for nothing any more; true when nothing is left to deliver.
    bool drain(TimePoint now, WallTime wall);

    [[nodiscard]] Edge& edge() { return edge_; }

    [[nodiscard]] const RoomHost& rooms() const { return rooms_; }

    [[nodiscard]] std::uint16_t shard() const { return place_.shard; }

private:
    /// A question, perhaps answered by now.
    struct Asked {
        TimePoint answer_by;
        std::uint64_t connection = 0;
        std::uint64_t request = 0;
    };

    void expire_questions(TimePoint now);
    void dispatch(ShardMessage message, ShardStep& step);
    void keep_own_posts();

    RoomHost::Place place_;
    Entropy& entropy_;
    RoomHost rooms_;
    Edge edge_;
    std::deque<ShardMessage> inbox_;
    std::vector<ShardAction> actions_;
    std::deque<Asked> asked_;  // All wait equally long, so the oldest is due first.
    std::size_t sorted_ = 0;   // Actions before it are known not to be posts to this shard.
};

/// The shard that owns a room on a node of `shards` shards.
std::uint16_t shard_of(const RoomId& room, std::uint16_t shards);

}  // namespace chatx::node
