#pragma once

#include "node/config.h"
#include "node/gateway/admin.h"
#include "node/gateway/admin_context.h"
#include "node/gateway/http_server.h"
#include "node/gateway/pages.h"
#include "node/gateway/questions.h"
#include "node/gateway/unix_socket.h"
#include "node/metrics.h"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace chatx::node {

/// What the listener of metrics answers: `/metrics`, `/healthz` and `/readyz`.
class MetricsHandler final : public HttpHandler {
public:
    MetricsHandler(const Pages& pages, Metrics& metrics) : pages_(pages), metrics_(metrics) {}

    boost::asio::awaitable<HttpAnswer> answer(HttpRequest request, std::string body) override;

private:
    const Pages& pages_;
    Metrics& metrics_;
};

/// What operators and their tools reach: the admin API on its Unix socket, and metrics on a port of
/// their own where one is set. Lives on the control loop.
///
/// With `dev` and no path of its own a second node on this host takes `admin-PORT.sock` beside the
/// first one's, so that trying two nodes needs no flag.
class ControlPort {
public:
    struct Wiring {
        boost::asio::io_context& io;
        const LoadedConfig& config;
        const std::vector<std::unique_ptr<Shard>>& shards;
        std::optional<AdminStore> store;
        const Pages& pages;
        Metrics& metrics;
        Endpoint listen;  // Where clients connect, with the real port.
        Admin::Facts facts;
    };

    /// What `wiring` refers to outlives this. The shards are all there.
    explicit ControlPort(Wiring wiring);

    /// Binds. Nothing when all is well, else one sentence that says what is in the way.
    [[nodiscard]] std::optional<std::string> open();

    /// Serves, from now on. After `open`.
    void start();

    /// Ends all of it, then calls `stopped`. While the shards still run.
    void stop(std::function<void()> stopped);

    /// Where the admin API is.
    [[nodiscard]] const std::string& path() const { return socket_.path(); }

private:
    [[nodiscard]] std::optional<std::string> open_admin();
    [[nodiscard]] std::optional<std::string> open_metrics();

    Wiring wiring_;
    Questions questions_;
    UnixSocket socket_;
    HttpServer::Acceptor metrics_acceptor_;
    std::optional<Admin> admin_;
    MetricsHandler metrics_handler_;
    std::optional<HttpServer> admin_server_;
    HttpServer metrics_server_;
};

}  // namespace chatx::node
