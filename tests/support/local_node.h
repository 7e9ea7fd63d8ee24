#pragma once

#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/middleware.h"
#include "node/core.h"
#include "node/gateway/outbox.h"
#include "node/gateway/session.h"
#include "node/gateway/websocket_transport.h"
#include "proto/json.h"
#include "proto/websocket.h"
#include "tests/support/memory_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::test {

class LocalNode;

/// A client of a LocalNode: speaks frames, as bytes of the WebSocket protocol, and hears frames.
class LocalClient final : private node::OutboxOwner {
public:
    LocalClient(LocalNode& node, std::uint16_t shard, node::SessionClient client);

    /// Says one frame; the node handles it when it next settles.
    void say(std::string_view frame);

    /// Bytes as they come from a socket, cut anywhere.
    void say_bytes(std::string bytes);

    /// What was heard since the last call: frames; a close as `close 1013 slow consumer`.
    [[nodiscard]] std::vector<std::string> hear();

    /// All bytes that wait for the client, as they are.
    [[nodiscard]] std::size_t waiting_bytes() const { return outbox_.size(); }

    [[nodiscard]] bool overflowed() const { return outbox_.overflowed(); }

    /// Breaks off: no goodbye is heard.
    void hang_up() { session_.reset(); }

    [[nodiscard]] bool connected() const { return session_.has_value(); }

    [[nodiscard]] node::Session& session() { return *session_; }

private:
    friend class LocalNode;

    void on_outbox_filled() override {}

    LocalNode& node_;
    node::Outbox outbox_;
    node::WebSocketTransport transport_{outbox_};
    proto::websocket::Decoder from_client_;
    proto::websocket::Decoder to_client_;
    std::optional<node::Session> session_;
};

/// A whole node without sockets, threads and clock: some shards, their clients, a store in memory.
/// The test is the clock and the adapters.
///
/// What the shards want done outside is done at once, and answered when the node settles; the
/// checks pass and everybody may join. A kind of question that is held waits for the test instead:
/// `hold<RunCheck>()`, then `take<RunCheck>()` and `tell` the shard, or `release<RunCheck>()`.
class LocalNode {
public:
    struct Options {
        std::uint16_t shards = 1;
        node::RoomHostOptions rooms;
        engine::Chain::Plan checks{
            .names = {"auth", "rate_limit", "moderation"},
            .custom = {},
            .auth = false,
            .moderation = false};
        node::SessionOptions session;
        node::Outbox::Limits outbox;
        bool store = false;    // Rooms have a log and an archive.
        bool shuffle = false;  // Links between shards take turns at random, not in a fixed order.
        std::uint64_t seed = 1;
    };

    static constexpr TimePoint start = TimePoint(std::chrono::hours(1));
    static constexpr WallTime start_wall = WallTime(std::chrono::milliseconds(1'750'000'000'000));
    static constexpr Duration tick_interval = std::chrono::milliseconds(50);

    /// What the shards ask of the outside, apart from posts and counts.
    using Question = std::variant<
        node::OpenRoom,
        node::AppendLog,
        node::ReadArchive,
        node::SaveBatch,
        node::RunCheck,
        node::Authorize>;

    template <class What>
    struct Asked {
        std::uint16_t shard;
        What what;
    };

    explicit LocalNode(Options options);
    LocalNode(const LocalNode&) = delete;
    LocalNode& operator=(const LocalNode&) = delete;
    ~LocalNode();

    /// A new client on the given shard; it stays until the node goes. Of an address it has the
    /// bucket of frames, which outlives the node.
    LocalClient& connect(
        std::string_view user, std::uint16_t shard = 0, node::SharedTokenBucket* address = nullptr);

    /// The same, in a version of the protocol.
    LocalClient& connect(std::string_view user, proto::phoenix::Version version);

    /// Works off everything that can go on without the test.
    void settle();

    /// One message of one link or one turn of one shard; false when nothing is left to do.
    bool step();

    /// Lets time pass in ticks, settling after each.
    void advance(Duration duration);

    /// Somebody sets the wall clock.
    void set_clock(WallTime wall) { wall_ = wall; }

    /// Starts anew over the same store, as after a crash; all clients are gone.
    void restart();

    template <class What>
    void hold() {
        held_.at(kind<What>()) = true;
    }

    /// Does what is held, and holds no more.
    template <class What>
    void release() {
        held_.at(kind<What>()) = false;
        while (auto asked = take<What>())
            answer(asked->shard, std::move(asked->what));
    }

    /// The oldest held question of a kind, or the newest; it is now the test's to answer.
    template <class What>
    std::optional<Asked<What>> take(bool newest = false) {
        auto& questions = questions_.at(kind<What>());
        if (questions.empty()) return std::nullopt;
        if (newest) std::rotate(questions.begin(), questions.end() - 1, questions.end());
        auto [shard, question] = std::move(questions.front());
        questions.pop_front();
        return Asked<What>{shard, std::get<What>(std::move(question))};
    }

    template <class What>
    [[nodiscard]] std::size_t waiting() const {
        return questions_.at(kind<What>()).size();
    }

    /// What was put on hold since the last call, in a few words each.
    [[nodiscard]] std::vector<std::string> new_questions() {
        return std::exchange(new_questions_, {});
    }

    /// A message for a shard from the outside.
    void tell(std::uint16_t shard, node::ShardMessage message);

    /// The log cannot take the oldest `count` held entries: their rooms go on under a new epoch.
    void fail_appends(std::size_t count);

    [[nodiscard]] MemoryStore& store() { return store_; }

    [[nodiscard]] node::Core& core(std::uint16_t shard) { return shards_.at(shard)->core; }

    [[nodiscard]] const engine::Room* room(const RoomId& id);

    [[nodiscard]] TimePoint now() const { return now_; }

    [[nodiscard]] WallTime wall() const { return wall_; }

    [[nodiscard]] std::uint64_t counted(engine::Metric metric) const;
    [[nodiscard]] std::uint64_t refused(node::FrameLimit limit) const;

    /// Events that were left out for slow clients, and gaps that they were told.
    [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

    [[nodiscard]] std::uint64_t gaps() const { return gaps_; }

    /// From now on the node takes nothing new.
    void drain() { draining_ = true; }

    /// The next room of this shard that draws a random number throws.
    void break_entropy(std::uint16_t shard) { shards_.at(shard)->entropy.broken = true; }

    /// What rooms threw, with their names.
    [[nodiscard]] const std::vector<std::string>& crashes() const { return crashes_; }

    /// What delivery gave up on.
    [[nodiscard]] std::vector<MessagePtr> given_up() const { return given_up_; }

private:
    friend class LocalClient;

    /// A source of randomness that can fail once.
    struct FaultyEntropy final : Entropy {
        explicit FaultyEntropy(std::uint64_t seed) : whole(seed) {}

        std::uint64_t next() override {
            if (std::exchange(broken, false)) throw std::runtime_error("no entropy");
            return whole.next();
        }

        SeededEntropy whole;
        bool broken = false;
    };

    /// One shard and what its sessions see of it.
    struct Shard final : node::SessionPort {
        Shard(LocalNode& owner, node::RoomHost::Place place);

        void request(node::RoomCommand command) override { core.request(std::move(command)); }

        void authorize(node::Authorize question) override {
            core.authorize(std::move(question), node.now_);
        }

        node::Edge& edge() override { return core.edge(); }

        [[nodiscard]] TimePoint now() const override { return node.now_; }

        [[nodiscard]] bool draining() const override { return node.draining_; }

        void count(const engine::Event& event) override {
            node.counts_[event.metric] += event.value;
        }

        void count(node::FrameLimit limit) override { ++node.refused_[limit]; }

        void count_left_out() override { ++node.left_out_; }

        void count_gap() override { ++node.gaps_; }

        LocalNode& node;
        FaultyEntropy entropy;
        node::Core core;
    };

    template <class What, std::size_t Index = 0>
    static constexpr std::size_t kind() {
        if constexpr (std::is_same_v<What, std::variant_alternative_t<Index, Question>>) {
            return Index;
        } else {
            return kind<What, Index + 1>();
        }
    }

    void start_shards();
    void perform(Shard& shard, std::vector<node::ShardAction>& actions);
    void answer(std::uint16_t shard, const node::OpenRoom& question);
    void answer(std::uint16_t shard, const node::AppendLog& question);
    void answer(std::uint16_t shard, const node::ReadArchive& question);
    void answer(std::uint16_t shard, const node::SaveBatch& question);
    void answer(std::uint16_t shard, const node::RunCheck& question);
    void answer(std::uint16_t shard, const node::Authorize& question);
    [[nodiscard]] Epoch begin_epoch();

    [[nodiscard]] std::deque<node::ShardMessage>& link(std::size_t from, std::size_t to) {
        return links_.at(from * options_.shards + to);
    }

    Options options_;
    engine::Chain chain_;
    SeededEntropy entropy_;
    MemoryStore store_;
    TimePoint now_ = start;
    WallTime wall_ = start_wall;
    node::BufferPool buffers_;
    proto::json::Parser parser_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::unique_ptr<LocalClient>> clients_;

    // From each shard, and last from the outside, to each shard. Every link keeps its order.
    std::vector<std::deque<node::ShardMessage>> links_;
    std::array<std::deque<std::pair<std::uint16_t, Question>>, std::variant_size_v<Question>>
        questions_;
    std::array<bool, std::variant_size_v<Question>> held_{};
    std::vector<std::string> new_questions_;
    std::map<engine::Metric, std::uint64_t> counts_;
    std::map<node::FrameLimit, std::uint64_t> refused_;
    std::uint64_t left_out_ = 0;
    std::uint64_t gaps_ = 0;
    bool draining_ = false;
    std::vector<MessagePtr> given_up_;
    std::vector<std::string> crashes_;
};

}  // namespace chatx::test
