#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "node/config.h"
#include "node/gateway/admin_connections.h"
#include "node/gateway/admin_context.h"
#include "node/gateway/admin_letters.h"
#include "node/gateway/admin_rooms.h"
#include "node/gateway/http_server.h"
#include "node/gateway/pages.h"

#include <string>

namespace chatx::node {

/// The admin API: what `chatxctl` asks a node. JSON under `/v1/`; GET reads, POST changes.
///
///     GET /v1/rooms           GET  /v1/room/members   GET  /v1/dead-letters         GET /v1/node
///     GET /v1/room            GET  /v1/room/history   POST /v1/dead-letters/replay  GET /v1/config
///     GET /v1/room/where      GET  /v1/room/tail                                    GET /v1/errors
///     GET /v1/connections     POST /v1/room/send
///     GET /v1/connection      POST /v1/room/reset
///                             POST /v1/connection/close
///
/// Rooms are named by the query (`?room=`), since their names may hold anything. Every answer has
/// `schema` and `coverage`; a refusal has `error` with `reason` and `message`. Whoever reaches the
/// socket it is served on may do everything. Lives on the control loop.
class Admin final : public HttpHandler {
public:
    /// What does not change while the node runs.
    struct Facts {
        const LoadedConfig& config;  // Holds names of secret files, no secrets.
        const Pages& pages;
        std::string version;
        Epoch epoch;
        WallTime started_at;
        TimePoint started;
        std::string url;
        std::string admin_socket;
    };

    /// What `context` and `facts` refer to outlives this.
    Admin(AdminContext context, Facts facts);

    boost::asio::awaitable<HttpAnswer> answer(HttpRequest request, std::string body) override;

private:
    struct Route;

    boost::asio::awaitable<HttpAnswer> node_info(HttpRequest request, std::string body);
    boost::asio::awaitable<HttpAnswer> errors(HttpRequest request, std::string body);
    boost::asio::awaitable<HttpAnswer> config(HttpRequest request, std::string body);
    boost::asio::awaitable<HttpAnswer> call(
        const Route& route, HttpRequest request, std::string body);

    AdminContext context_;
    Facts facts_;
    AdminRooms rooms_;
    AdminConnections connections_;
    AdminLetters letters_;
};

}  // namespace chatx::node
