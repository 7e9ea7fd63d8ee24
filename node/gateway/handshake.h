#pragma once

#include "node/gateway/http.h"
#include "node/refusals.h"
#include "proto/phoenix.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace chatx::node {

/// Which pages may open a socket: without entries those of the host that was asked, with entries
/// exactly these
/// (`https://chat.example.com`). A request without `Origin`, from a native client, is always let
/// in.
struct OriginPolicy {
    std::span<const std::string> allowed;
};

/// Whether the page that sent the request may connect.
[[nodiscard]] bool origin_allowed(const HttpRequest& request, const OriginPolicy& origins);

/// The version of the protocol that `vsn` asks for: without one the first. Nothing when it is not
/// spoken here; a list or an object in place of the text is no version.
[[nodiscard]] std::optional<proto::phoenix::Version> version_of(const HttpRequest& request);

/// The request may become a WebSocket; these are the bytes of the 101 answer.
struct Upgrade {
    std::string response;
    proto::phoenix::Version version;
};

/// The request may not, for this reason, and this is the answer.
struct HandshakeRefused {
    HandshakeRefusal why;
    HttpResponse response;
};

/// Decides over a request to `/socket/websocket`, in the order of Phoenix: upgrade headers, origin,
/// subprotocol, `vsn`. Answers are 400 for what is no upgrade and 403 for what is refused, both
/// cheap (RFC 6455, section 4.2).
std::variant<Upgrade, HandshakeRefused> websocket_handshake(
    const HttpRequest& request, const OriginPolicy& origins);

/// A refusal with the answer that belongs to it: 403 without a body for what is not allowed; for
/// what may be otherwise in a while, 429 (`too_many_connections`) and 503 (`shutting_down`) with
/// `Retry-After` and the reason as JSON.
HandshakeRefused refuse_handshake(HandshakeRefusal why);

/// The proof that a server read the key: base64 of SHA-1 of the key and the protocol's own GUID.
std::string websocket_accept(std::string_view key);

}  // namespace chatx::node
