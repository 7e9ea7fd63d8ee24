#include "node/gateway/listener.h"

#include "node/net/clock.h"
#include "node/net/port_owner.h"

#include <boost/asio/error.hpp>

#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

/// Without descriptors or memory every accept fails at once; trying again and again would burn the
/// loop.
constexpr auto accept_pause = std::chrono::milliseconds(100);

constexpr int backlog = 4096;

}  // namespace

Listener::Listener(
    asio::ip::tcp::endpoint endpoint,
    std::vector<std::unique_ptr<Shard>>& shards,
    Admission& admission,
    ShardMetrics& metrics)
    : endpoint_(std::move(endpoint)),
      shards_(shards),
      admission_(admission),
      metrics_(metrics),
      acceptor_(shards.front()->io()),
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
    const std::size_t shard = next_shard_;
    next_shard_ = (next_shard_ + 1) % shards_.size();
    acceptor_.async_accept(
        shards_[shard]->io(),
        [this, shard](const boost::system::error_code& error, asio::ip::tcp::socket socket) {
            on_accepted(error, std::move(socket), shard);
        });
}

void Listener::on_accepted(
    const boost::system::error_code& error, asio::ip::tcp::socket socket, std::size_t shard) {
    if (!acceptor_.is_open()) return;
    if (error && error != asio::error::connection_aborted) {
        pause_.expires_after(accept_pause);
        pause_.async_wait([this](const boost::system::error_code& cancelled) {
            if (!cancelled && acceptor_.is_open()) accept();
        });
        return;
    }
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
