#include "node/gateway/listener.h"

#include "node/net/clock.h"
#include "node/net/port_owner.h"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

/// Without descriptors or memory every accept fails at once; trying again and again would burn the
/// loop.
constexpr auto accept_pause = std::chrono::milliseconds(100);

/// Long enough that a timer is worth it, short enough that nobody notices.
constexpr auto turn_pause = std::chrono::milliseconds(5);

constexpr int backlog = 4096;

}  // namespace

Listener::Listener(
    asio::ip::tcp::endpoint endpoint,
    std::vector<std::unique_ptr<Shard>>& shards,
    Admission& admission,
    ShardMetrics& metrics,
    const ListenerOptions& options)
    : endpoint_(std::move(endpoint)),
      shards_(shards),
      admission_(admission),
      metrics_(metrics),
      acceptor_(shards.front()->io()),
      options_(options),
      pause_(shards.front()->io()) {}

std::optional<std::string> Listener::open() {
    boost::system::error_code error;
    acceptor_.open(endpoint_.protocol(), error);
    if (!error) acceptor_.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint_, error);
    if (!error) acceptor_.listen(backlog, error);
    if (!error) return std::nullopt;

    const std::string where =
        endpoint_.address().to_string() + " port " + std::to_string(endpoint_.port());
    if (error == asio::error::address_in_use) {
        return "cannot listen on " + where + ": it is taken by " + port_owner(endpoint_.port())
               + "; stop that or choose another with --listen";
    }
    return "cannot listen on " + where + ": " + error.message();
}

void Listener::start() {
    accept();
}

void Listener::stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
}

void Listener::accept() {
    if (const auto wait = pause()) return accept_after(*wait);
    const std::size_t shard = next_shard_;
    next_shard_ = (next_shard_ + 1) % shards_.size();
    acceptor_.async_accept(
        shards_[shard]->io(),
        [this, shard](const boost::system::error_code& error, asio::ip::tcp::socket socket) {
            on_accepted(error, std::move(socket), shard);
        });
}

void Listener::accept_after(Duration wait) {
    pause_.expires_after(wait);
    pause_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && acceptor_.is_open()) accept();
    });
}

// How long to leave the next client in the system's queue, if at all.
std::optional<Duration> Listener::pause() {
    if (admission_.pending_full()) {
        metrics_.accepts_paused(AcceptLimit::pending_connections);
        return turn_pause;
    }
    const auto wait = accepts_.take(options_.accepts, monotonic_now());
    if (!wait) return std::nullopt;
    metrics_.accepts_paused(AcceptLimit::accepts_per_sec);
    return std::max<Duration>(*wait, turn_pause);
}

void Listener::on_accepted(
    const boost::system::error_code& error, asio::ip::tcp::socket socket, std::size_t shard) {
    if (!acceptor_.is_open()) return;
    if (error && error != asio::error::connection_aborted) return accept_after(accept_pause);
    if (!error) {
        boost::system::error_code gone;
        const auto peer = socket.remote_endpoint(gone).address();
        if (!gone) hand_over(std::move(socket), peer, shard);
    }
    accept();
}

void Listener::hand_over(
    asio::ip::tcp::socket socket, const asio::ip::address& peer, std::size_t shard) {
    if (const auto limit = admission_.admit(peer, monotonic_now()))
        return metrics_.connection_refused(*limit);
    // std::function wants to copy what it holds.
    const auto shared = std::make_shared<asio::ip::tcp::socket>(std::move(socket));
    shards_[shard]->call(
        [shared, peer](Shard& owner) { owner.gateway().adopt(std::move(*shared), peer); });
}

}  // namespace chatx::node
