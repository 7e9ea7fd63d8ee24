#include "node/gateway/gateway.h"

#include "proto/phoenix.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr std::size_t scratch_bytes = std::size_t{64} * 1024;

GatewayOptions with_bounds(GatewayOptions options) {
    options.poll.transport.bytes_max = options.outbox.bytes_max;
    return options;
}

}  // namespace

Gateway::Gateway(asio::io_context& io, GatewayOptions options, Wiring wiring)
    : io_(io),
      options_(with_bounds(std::move(options))),
      wiring_(std::move(wiring)),
      parser_({.text_size_max = options_.message_size_max}),
      scratch_(scratch_bytes),
      polls_(
          options_.poll,
          options_.session,
          {.shard = wiring_.shard,
           .shards = wiring_.shards,
           .port = wiring_.port,
           .admission = wiring_.admission,
           .metrics = wiring_.metrics,
           .log = wiring_.log,
           .parser = parser_,
           .relay =
               [this](std::uint16_t shard, std::function<void(LongPoll&)> what) {
                   wiring_.relay(
                       shard, [what = std::move(what)](Gateway& there) { what(there.polls_); });
               },
           .wake = [this] { wake(); }}) {}

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
    polls_.tick(now);
    outbox_bytes += polls_.waiting_bytes();
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
        if (connection->awaits_answer() || (connection->is_websocket() && count == 0)) {
            ++left;
            continue;
        }
        if (connection->is_websocket()) --count;
        connection->close(proto::websocket::CloseCode::service_restart, "restarting");
    }
    left += polls_.drain(count);
    wiring_.turn();
    return left;
}

void Gateway::stop() {
    for (const auto& [connection, owned] : connections_)
        connection->end();
    polls_.stop();
    wiring_.turn();
}

// Only what is on the page is put into words: there may be many.
std::vector<ConnectionRow> Gateway::rows(const ConnectionPage& page) const {
    struct Place {
        std::size_t bytes;
        std::uint64_t number;
        const Connection* connection;
    };

    const std::uint16_t shard = wiring_.port.edge().id().value;
    std::vector<Place> places;
    for (const auto& [connection, owned] : connections_) {
        const Session* session = connection->session();
        if (session == nullptr) continue;
        if (page.after && ConnectionId{shard, session->id()} <= *page.after) continue;
        const bool by_bytes = page.order == ConnectionPage::Order::outbox;
        places.push_back({by_bytes ? connection->outbox_.size() : 0, session->id(), connection});
    }
    const auto end =
        places.begin() + static_cast<std::ptrdiff_t>(std::min(places.size(), page.limit + 1));
    std::partial_sort(places.begin(), end, places.end(), [](const Place& a, const Place& b) {
        return std::tie(b.bytes, a.number) < std::tie(a.bytes, b.number);
    });
    std::vector<ConnectionRow> rows;
    for (auto place = places.begin(); place != end; ++place)
        rows.push_back(place->connection->row());
    return rows;
}

Connection* Gateway::find(std::uint64_t session) const {
    for (const auto& [connection, owned] : connections_) {
        if (connection->session() != nullptr && connection->session()->id() == session)
            return connection;
    }
    return nullptr;
}

void Gateway::mark_dirty(Connection& connection) {
    connection.dirty_ = true;
    dirty_.push_back(&connection);
    wake();
}

void Gateway::wake() {
    if (std::exchange(flush_posted_, true)) return;
    // Behind everything that is ready now: what those handlers say goes out with it.
    asio::post(io_, [this] { flush_dirty(); });
}

void Gateway::flush_dirty() {
    flush_posted_ = false;
    polls_.flush();
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

std::optional<UserId> Gateway::user_of(std::optional<std::string_view> name) {
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

std::variant<std::string, HandshakeRefusal> Gateway::open_poll(
    const PollRequest& request, const asio::ip::address& peer) {
    if (!request.version) return HandshakeRefusal::vsn;
    if (draining_) return HandshakeRefusal::shutting_down;
    auto user = user_of(request.user);
    if (!user) return HandshakeRefusal::user;
    auto token = polls_.open({*std::move(user), *request.version, peer});
    if (!token) return HandshakeRefusal::too_many_connections;
    return *std::move(token);
}

}  // namespace chatx::node
