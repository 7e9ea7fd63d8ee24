#include "node/gateway/gateway.h"

#include "proto/phoenix.h"

#include <boost/asio/post.hpp>

#include <array>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr std::size_t scratch_bytes = std::size_t{64} * 1024;

}  // namespace

Gateway::Gateway(asio::io_context& io, GatewayOptions options, Wiring wiring)
    : io_(io),
      options_(std::move(options)),
      wiring_(std::move(wiring)),
      parser_({.text_size_max = options_.message_size_max}),
      scratch_(scratch_bytes) {}

Gateway::~Gateway() = default;

void Gateway::adopt(asio::ip::tcp::socket socket, const asio::ip::address& peer) {
    auto connection =
        std::make_unique<Connection>(*this, std::move(socket), peer, wiring_.port.now());
    Connection& started = *connection;
    connections_.emplace(&started, std::move(connection));
    wiring_.metrics.connection_opened();
    started.start();
}

void Gateway::tick(TimePoint now) {
    std::vector<Connection*> finished;
    std::size_t outbox_bytes = 0;
    for (const auto& [connection, owned] : connections_) {
        connection->tick(now);
        outbox_bytes += connection->outbox_.size();
        if (connection->finished()) finished.push_back(connection);
    }
    wiring_.metrics.outbox_changed(
        static_cast<std::int64_t>(outbox_bytes) - static_cast<std::int64_t>(outbox_bytes_told_));
    outbox_bytes_told_ = outbox_bytes;
    for (Connection* connection : finished)
        reap(*connection);
    wiring_.turn();
}

std::size_t Gateway::drain(std::size_t count) {
    draining_ = true;
    std::size_t left = 0;
    for (const auto& [connection, owned] : connections_) {
        if (connection->is_websocket() && count == 0) {
            ++left;
            continue;
        }
        if (connection->is_websocket()) --count;
        connection->close(proto::websocket::CloseCode::service_restart, "restarting");
    }
    wiring_.turn();
    return left;
}

void Gateway::stop() {
    for (const auto& [connection, owned] : connections_)
        connection->end();
    wiring_.turn();
}

void Gateway::mark_dirty(Connection& connection) {
    connection.dirty_ = true;
    dirty_.push_back(&connection);
    if (std::exchange(flush_posted_, true)) return;
    // Behind everything that is ready now: what those handlers say goes out with it.
    asio::post(io_, [this] { flush_dirty(); });
}

void Gateway::flush_dirty() {
    flush_posted_ = false;
    flushing_.swap(dirty_);
    for (Connection* connection : flushing_) {
        connection->dirty_ = false;
        connection->flush();
        reap(*connection);
    }
    flushing_.clear();
    wiring_.turn();  // A connection that broke has left its rooms.
}

void Gateway::reap(Connection& connection) {
    if (!connection.finished()) return;
    connections_.erase(&connection);
    wiring_.metrics.connection_closed();
}

std::optional<UserId> Gateway::user_of(const HttpRequest& request) {
    const auto name = request.parameter("user_id");
    if (!name || name->empty()) {
        return UserId::parse(
                   "guest-" + std::to_string(wiring_.port.edge().id().value) + "-"
                   + std::to_string(++guests_))
            .value();
    }
    // Clients keep presence in plain objects, where such a name is not free.
    if (proto::phoenix::is_prototype_key(*name)) return std::nullopt;
    auto user = UserId::parse(*name);
    return user ? std::optional(*std::move(user)) : std::nullopt;
}

}  // namespace chatx::node
