#include "node/gateway/control_port.h"

#include "node/net/port_owner.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>

#include <filesystem>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr int metrics_backlog = 64;

}  // namespace

asio::awaitable<HttpAnswer> MetricsHandler::answer(HttpRequest request, std::string /*body*/) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (reads && request.path == "/metrics") co_return metrics_page(metrics_);
    co_return pages_.answer(request);
}

ControlPort::ControlPort(Wiring wiring)
    : wiring_(std::move(wiring)),
      questions_(wiring_.io),
      socket_(wiring_.io),
      metrics_acceptor_(wiring_.io),
      metrics_handler_(wiring_.pages, wiring_.metrics),
      metrics_server_(wiring_.io, metrics_handler_, {}) {}

std::optional<std::string> ControlPort::open() {
    if (auto problem = open_admin()) return problem;
    return open_metrics();
}

std::optional<std::string> ControlPort::open_admin() {
    const Config& config = wiring_.config.config;
    auto problem = socket_.open(config.admin_socket);
    if (problem && problem->taken && config.dev
        && !wiring_.config.origins.contains("admin_socket")) {
        const auto directory = std::filesystem::path(config.admin_socket).parent_path();
        problem =
            socket_.open(directory / ("admin-" + std::to_string(wiring_.listen.port) + ".sock"));
    }
    if (problem) return problem->text;

    Admin::Facts facts = std::move(wiring_.facts);
    facts.admin_socket = socket_.path();
    admin_.emplace(
        AdminContext{wiring_.io, questions_, wiring_.shards, wiring_.store, config.name},
        std::move(facts));
    admin_server_.emplace(wiring_.io, *admin_, HttpServer::Options());
    return std::nullopt;
}

std::optional<std::string> ControlPort::open_metrics() {
    const auto& listen = wiring_.config.config.metrics_listen;
    if (!listen) return std::nullopt;
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(listen->address), listen->port);
    boost::system::error_code error;
    metrics_acceptor_.open(asio::generic::stream_protocol(endpoint.protocol()), error);
    if (!error) metrics_acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) metrics_acceptor_.bind(endpoint, error);
    if (!error) metrics_acceptor_.listen(metrics_backlog, error);
    if (!error) return std::nullopt;
    if (error == asio::error::address_in_use) {
        return "cannot serve metrics on " + to_text(*listen) + ": it is taken by "
               + port_owner(listen->port)
               + "; stop that or choose another with --set metrics_listen=ADDRESS:PORT";
    }
    return "cannot serve metrics on " + to_text(*listen) + ": " + error.message();
}

void ControlPort::start() {
    admin_server_->serve(socket_.take_acceptor());
    if (metrics_acceptor_.is_open()) metrics_server_.serve(std::move(metrics_acceptor_));
}

void ControlPort::stop(std::function<void()> stopped) {
    if (!admin_server_) return metrics_server_.stop(std::move(stopped));
    admin_server_->stop([this, stopped = std::move(stopped)] { metrics_server_.stop(stopped); });
}

}  // namespace chatx::node
