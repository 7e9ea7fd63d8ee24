#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What the edge of the node says no to, and why: closed sets, each value with a fixed name for
/// metrics and logs. A limit is named after the key of `limits` that sets it.
namespace chatx::node {

/// A limit that kept a connection out, before a byte of it was read.
enum class ConnectionLimit : std::uint8_t {
    connections,
    connections_per_ip,
    accepts_per_sec_per_ip,
    pending_connections,
    pending_connections_per_ip,
};

/// A limit that made clients wait before they were let in.
enum class AcceptLimit : std::uint8_t {
    accepts_per_sec,
    pending_connections,
};

/// A rate that a frame was beyond.
enum class FrameLimit : std::uint8_t {
    frames_per_sec,
    frames_per_sec_per_ip,
    joins_per_sec,
    typing_per_sec,
    signals_per_sec,
    heartbeats_per_sec,
};

/// Why a request for a WebSocket was refused.
enum class HandshakeRefusal : std::uint8_t {
    not_an_upgrade,
    origin,
    subprotocol,
    vsn,
    user,
    too_many_connections,
    shutting_down,
};

inline constexpr std::array<std::string_view, 5> connection_limits{
    "connections",
    "connections_per_ip",
    "accepts_per_sec_per_ip",
    "pending_connections",
    "pending_connections_per_ip"};

inline constexpr std::array<std::string_view, 2> accept_limits{
    "accepts_per_sec", "pending_connections"};

inline constexpr std::array<std::string_view, 6> frame_limits{
    "frames_per_sec",
    "frames_per_sec_per_ip",
    "joins_per_sec",
    "typing_per_sec",
    "signals_per_sec",
    "heartbeats_per_sec"};

inline constexpr std::array<std::string_view, 7> handshake_refusals{
    "not_an_upgrade",
    "origin",
    "subprotocol",
    "vsn",
    "user",
    "too_many_connections",
    "shutting_down"};

constexpr std::string_view to_text(ConnectionLimit limit) {
    return connection_limits[static_cast<std::size_t>(limit)];
}

constexpr std::string_view to_text(AcceptLimit limit) {
    return accept_limits[static_cast<std::size_t>(limit)];
}

constexpr std::string_view to_text(FrameLimit limit) {
    return frame_limits[static_cast<std::size_t>(limit)];
}

constexpr std::string_view to_text(HandshakeRefusal refusal) {
    return handshake_refusals[static_cast<std::size_t>(refusal)];
}

}  // namespace chatx::node
