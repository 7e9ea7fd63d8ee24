#pragma once

#include "node/gateway/admin_context.h"
#include "node/gateway/connection_rows.h"
#include "node/gateway/http_server.h"
#include "proto/json.h"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <variant>

namespace chatx::node {

/// The clients' connections of the admin API. Each is read and closed on the loop of its shard and
/// answered from the control loop, where this lives; every wait has a deadline.
class AdminConnections {
public:
    explicit AdminConnections(const AdminContext& context) : context_(context) {}

    using Answer = boost::asio::awaitable<HttpAnswer>;

    Answer list(HttpRequest request, std::string body);   // after, limit, order = id | outbox
    Answer info(HttpRequest request, std::string body);   // id
    Answer close(HttpRequest request, std::string body);  // {"id"}

private:
    [[nodiscard]] std::variant<ConnectionId, Refusal> read_id(std::string_view text) const;
    [[nodiscard]] HttpAnswer refused(const Refusal& refusal) const;
    [[nodiscard]] HttpAnswer not_found(ConnectionId id) const;

    const AdminContext& context_;
    proto::json::Parser parser_;
};

}  // namespace chatx::node
