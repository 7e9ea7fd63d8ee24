#pragma once

#include <chatx/adapters.h>

#include "engine/middleware.h"
#include "node/adapter_calls.h"
#include "node/core.h"
#include "node/gateway/gateway.h"
#include "node/metrics.h"
#include "node/net/adapter_pool.h"
#include "node/net/admission.h"
#include "node/net/clock.h"
#include "node/net/mailbox.h"
#include "node/net/store_worker.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace chatx::node {

/// One loop on a thread of its own: a core, a gateway, and the pipes between them, the other
/// shards, the store and the adapters. Everything in it happens on its thread, apart from `post`
/// and `call`.
class Shard final : public SessionPort {
public:
    struct Options {
        RoomHost::Place place;
        RoomHostOptions rooms;
        engine::Chain chain;
        GatewayOptions gateway;
    };

    /// What the shard works with. All of it outlives the shard.
    struct Wiring {
        const std::vector<std::unique_ptr<Shard>>& shards;  // All of the node, this one included.
        StoreWorker* store = nullptr;                       // See set_store.
        AdapterPools& adapters;
        Admission& admission;
        Adapters checks;
        ShardMetrics& metrics;
        Logger& log;
        std::function<HttpResponse(const HttpRequest&)> page;
    };

    Shard(Options options, Wiring wiring);
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;
    ~Shard() override;

    /// Before `start`. Without one the shard keeps memory only.
    void set_store(StoreWorker& store) { wiring_.store = &store; }

    void start();

    /// Ends every connection, then the loop; waits for the thread.
    void stop();

    /// A message for the core, from any thread.
    void post(ShardMessage message);

    /// Runs something on the shard's thread, from any thread.
    void call(std::function<void(Shard&)> what);

    [[nodiscard]] boost::asio::io_context& io() { return io_; }

    [[nodiscard]] Core& core() { return core_; }

    [[nodiscard]] Gateway& gateway() { return gateway_; }

    [[nodiscard]] StoreWorker* store() const { return wiring_.store; }

    /// Lets delivery wait for nothing any more; true when all is delivered and logged.
    bool drain_delivery();

    /// Works off what the core was given.
    void turn();

    // For sessions.
    void request(RoomCommand command) override { core_.request(std::move(command)); }

    void authorize(Authorize question) override {
        core_.authorize(std::move(question), monotonic_now());
    }

    Edge& edge() override { return core_.edge(); }

    [[nodiscard]] TimePoint now() const override { return monotonic_now(); }

    [[nodiscard]] bool draining() const override { return gateway_.draining(); }

    void count(const engine::Event& event) override { wiring_.metrics.count(event); }

    void count(FrameLimit limit) override { wiring_.metrics.count_frame_refused(limit); }

    void count_left_out() override { wiring_.metrics.count_left_out(); }

    void count_gap() override { wiring_.metrics.count_gap(); }

private:
    void run();
    void read_mailbox();
    void send_outgoing();
    void wait_tick();
    void tick();
    void perform(std::vector<ShardAction>& actions);

    void perform(Post post) { outgoing_[post.shard].push_back(std::move(post.message)); }

    void perform(const RoomCrashed& crash);
    void perform(OpenRoom request) const;
    void perform(AppendLog entry) const;
    void perform(const TruncateLog& archived) const;
    void perform(RunCheck check);
    void perform(ReadArchive request) const;
    void perform(SaveBatch batch) const;
    void perform(GiveUp letters) const;
    void perform(Authorize question);
    void perform(const engine::Event& event);
    template <class Answer>
    std::optional<Answer> heard(const AdapterAnswer<Answer>& answer);
    void authorized(const Authorize& question, const AdapterAnswer<Result<Done>>& answer);
    void count_auth_failure();

    Options options_;
    Wiring wiring_;
    std::shared_ptr<const AdapterCalls> calls_;  // With the calls that run.
    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    SystemEntropy entropy_;
    Core core_;
    Gateway gateway_;
    Mailbox<ShardMessage> mailbox_;
    std::vector<ShardMessage> received_;
    std::vector<std::vector<ShardMessage>> outgoing_;  // By shard; empty between turns.
    boost::asio::steady_timer timer_;
    TimePoint gateway_tick_at_;
    bool stopping_ = false;
    std::thread thread_;
};

/// How many threads this machine runs at once; at least 1.
std::size_t processor_count();

}  // namespace chatx::node
