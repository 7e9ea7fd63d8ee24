#pragma once

#include <chatx/adapters.h>
#include <chatx/time.h>

#include "node/config.h"
#include "node/gateway/control_port.h"
#include "node/gateway/listener.h"
#include "node/gateway/pages.h"
#include "node/log.h"
#include "node/metrics.h"
#include "node/net/adapter_pool.h"
#include "node/net/clock.h"
#include "node/net/shard.h"
#include "node/net/store_worker.h"
#include "node/store/sqlite.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace chatx::node {

/// A whole node: builds the parts, hands them to each other, runs until it is told to stop. `run`
/// and all that it handles happen on the caller's thread; the parts have theirs.
class Server {
public:
    /// The adapters are the caller's to make, also those that the configuration names.
    Server(LoadedConfig config, Logger& log, Adapters adapters = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    /// Takes store, port and everything else it needs. Nothing when all is well, else one line that
    /// says what is in the way; then the object is good for nothing but its end.
    [[nodiscard]] std::optional<std::string> start();

    /// Serves until SIGTERM or SIGINT, then drains and stops. A signal while it drains cuts that
    /// short; while it stops, one has its default effect, which ends the process at once.
    /// Returns the exit status: `adapter_hangs_status` when an adapter keeps a call after
    /// `AdapterPool::stop_patience`. Then threads are still in its code, and for its sake the
    /// process is to end without destroying it.
    int run();

    static constexpr int adapter_hangs_status = 3;

    /// Where a client on this host finds the node, once it is started.
    [[nodiscard]] std::string url() const;

private:
    using Problem = std::optional<std::string>;

    [[nodiscard]] Problem open_store();
    [[nodiscard]] Problem deliver_backlog();
    [[nodiscard]] Problem check_adapters();
    [[nodiscard]] Problem build_shards();
    [[nodiscard]] Problem open_listener();
    [[nodiscard]] Problem open_control();
    [[nodiscard]] Shard::Options shard_options(std::uint16_t shard, engine::Chain chain) const;
    void seed_general();
    void raise_descriptor_limit();
    void warn_of_exposure();

    void wait_signal();
    void wait_log_report();
    void begin_drain();
    void drain_clients();
    void await_goodbyes();
    void drain_delivery();
    void ask_shards(const std::function<bool(Shard&)>& ask, const std::function<void(bool)>& then);
    void after(Duration wait, void (Server::*step)());
    void finish();
    void end_parts();

    LoadedConfig loaded_;
    const Config& config_;
    Logger& log_;
    boost::asio::io_context io_;
    boost::asio::signal_set signals_;
    boost::asio::steady_timer timer_;
    boost::asio::steady_timer log_timer_;
    SystemEntropy entropy_;
    Epoch epoch_;
    MessageId last_id_;
    std::uint16_t shard_count_;
    std::unique_ptr<SqliteStore> store_;
    Adapters checks_;
    Metrics metrics_;
    Pages pages_;
    std::unique_ptr<AdapterPools> adapters_;
    Admission admission_;
    std::unique_ptr<StoreWorker> store_worker_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<ControlPort> control_;
    bool draining_ = false;
    bool finishing_ = false;
    std::size_t shards_pending_ = 0;
    bool any_shard_ = false;
    TimePoint drain_until_;
    int status_ = 0;
};

}  // namespace chatx::node
