#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "proto/phoenix.h"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// A client's connection, as operators name it: `SHARD-NUMBER`. Not used again while the node runs.
struct ConnectionId {
    std::uint16_t shard = 0;
    std::uint64_t number = 0;
    auto operator<=>(const ConnectionId&) const = default;
};

std::string to_text(ConnectionId id);
std::optional<ConnectionId> parse_connection_id(std::string_view text);

/// A connection as operators see it.
struct ConnectionRow {
    ConnectionId id;
    std::string user;
    std::string peer;            // Its address.
    std::string_view transport;  // Static text: `websocket`.
    proto::phoenix::Version version = proto::phoenix::Version::v2;
    std::size_t rooms = 0;  // Memberships, joins on their way included.
    WallTime connected_at;
    std::size_t outbox_bytes = 0;  // Wait for the client to read.
    Duration waiting{0};           // The age of the oldest of them that a flush left behind, about.
    std::uint64_t frames_in = 0;   // Frames of the protocol that the client sent.
    std::uint64_t refused = 0;     // Of them, those that were answered with an error at the edge.
    std::size_t strikes = 0;       // Frames beyond a rate that are not forgiven yet.
    std::uint64_t gaps = 0;        // Told to it, with `limits.slow_consumer = "gap"`.

    bool operator==(const ConnectionRow&) const = default;
};

/// Which connections, and in which order.
struct ConnectionPage {
    /// `id`: all of them, in order. `outbox`: those whose client reads slowest, the most bytes
    /// first.
    enum class Order : std::uint8_t { id, outbox };

    Order order = Order::id;
    std::optional<ConnectionId> after;  // With Order::id.
    std::size_t limit = 100;
};

/// Whether `a` stands before `b`.
bool stands_before(ConnectionPage::Order order, const ConnectionRow& a, const ConnectionRow& b);

/// A page of connections.
struct ConnectionRows {
    std::vector<ConnectionRow> rows;
    bool more = false;
};

/// Puts the pages of the shards together: each is in order and holds the first `limit` + 1
/// connections of its shard, or all of them.
ConnectionRows merge_rows(
    std::vector<std::vector<ConnectionRow>> pages, const ConnectionPage& page);

}  // namespace chatx::node
