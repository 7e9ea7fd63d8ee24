#pragma once

#include <chatx/time.h>

#include "engine/token_bucket.h"
#include "node/metrics.h"
#include "node/net/admission.h"
#include "node/net/shard.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace chatx::node {

struct ListenerOptions {
    engine::TokenRate accepts{{.tokens_per_sec = 5000, .burst = 1000}};  // Of all addresses.
};

/// Takes connections in and hands them to the shards in turn. One that is not admitted is closed
/// before a byte is read, which is the cheapest refusal there is. Lives on the loop of the first
/// shard.
///
/// When all clients come at once they wait their turn in the system's queue instead: nothing is
/// taken beyond the rate, nor while as many connections as may have sent no whole request yet. The
/// latter lasts no longer than such a connection may stay.
class Listener {
public:
    /// All outlive the listener.
    Listener(
        boost::asio::ip::tcp::endpoint endpoint,
        std::vector<std::unique_ptr<Shard>>& shards,
        Admission& admission,
        ShardMetrics& metrics,
        const ListenerOptions& options = {});
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener() = default;

    /// Binds. Nothing when all is well, else one sentence that says what is in the way, and whose
    /// it is. Before `start`.
    [[nodiscard]] std::optional<std::string> open();

    /// The endpoint with its real port.
    [[nodiscard]] boost::asio::ip::tcp::endpoint endpoint() const {
        return acceptor_.local_endpoint();
    }

    void start();

    /// Takes no more connections. On the loop.
    void stop();

private:
    void accept();
    void accept_after(Duration wait);
    [[nodiscard]] std::optional<Duration> pause();
    void on_accepted(
        const boost::system::error_code& error,
        boost::asio::ip::tcp::socket socket,
        std::size_t shard);
    void hand_over(
        boost::asio::ip::tcp::socket socket,
        const boost::asio::ip::address& peer,
        std::size_t shard);

    boost::asio::ip::tcp::endpoint endpoint_;
    std::vector<std::unique_ptr<Shard>>& shards_;
    Admission& admission_;
    ShardMetrics& metrics_;
    boost::asio::ip::tcp::acceptor acceptor_;
    ListenerOptions options_;
    engine::TokenBucket accepts_;
    boost::asio::steady_timer pause_;
    std::size_t next_shard_ = 0;
};

}  // namespace chatx::node
