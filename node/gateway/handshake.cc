#include "node/gateway/handshake.h"

#include <chatx/assert.h>
#include <chatx/errors.h>

#include "node/payloads.h"
#include "proto/phoenix.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <optional>

namespace chatx::node {

namespace {

/// Clients that follow a back-off of their own come as seldom as this at last.
constexpr auto retry_after = std::chrono::seconds(5);

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
        return std::tolower(x) == std::tolower(y);
    });
}

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Calls `visit` for each entry of a comma-separated list until it says true.
template <class Visit>
bool any_entry(std::string_view list, Visit&& visit) {
    while (!list.empty()) {
        const std::string_view entry = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), entry.size() + 1));
        if (visit(trim(entry))) return true;
    }
    return false;
}

bool has_entry(std::string_view list, std::string_view wanted) {
    return any_entry(list, [&](std::string_view entry) { return same_word(entry, wanted); });
}

bool is_key(std::string_view key) {
    // 16 bytes in base64: 22 characters of the alphabet and two of padding.
    return key.size() == 24 && key.ends_with("==")
           && std::all_of(key.begin(), key.end() - 2, [](unsigned char c) {
                  return std::isalnum(c) != 0 || c == '+' || c == '/';
              });
}

HandshakeRefused bad_request(std::string_view why) {
    HandshakeRefused refused{HandshakeRefusal::not_an_upgrade, {}};
    refused.response.status = 400;
    refused.response.body = std::string(why) + "\n";
    return refused;
}

HttpResponse try_later(unsigned status, Reason reason) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/json";
    response.body = to_json(Error{reason, {}, retry_after});
    response.headers.emplace_back("Retry-After", std::to_string(retry_after.count()));
    return response;
}

}  // namespace

bool origin_allowed(const HttpRequest& request, const OriginPolicy& origins) {
    const std::string origin = request.header("origin");
    if (origin.empty()) return true;
    if (!origins.allowed.empty()) {
        return std::any_of(
            origins.allowed.begin(), origins.allowed.end(), [&](const std::string& allowed) {
                return same_word(allowed, origin);
            });
    }
    const std::string host = request.header("host");
    return !host.empty()
           && (same_word(origin, "http://" + host) || same_word(origin, "https://" + host));
}

std::optional<proto::phoenix::Version> version_of(const HttpRequest& request) {
    const bool nested =
        std::any_of(request.query.begin(), request.query.end(), [](const auto& pair) {
            return pair.first.starts_with("vsn[");
        });
    if (nested) return std::nullopt;
    return proto::phoenix::parse_vsn(request.parameter("vsn").value_or("1.0.0"));
}

std::string websocket_accept(std::string_view key) {
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    CHATX_ASSERT(
        EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
    std::array<unsigned char, 64> encoded{};
    const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
    return {encoded.begin(), encoded.begin() + length};
}

std::variant<Upgrade, HandshakeRefused> websocket_handshake(
    const HttpRequest& request, const OriginPolicy& origins) {
    if (request.method != "GET") return bad_request({});
    if (!has_entry(request.header("upgrade"), "websocket")
        || !has_entry(request.header("connection"), "upgrade")) {
        return bad_request("This is a WebSocket endpoint: ask with Upgrade: websocket.");
    }
    if (request.content_length != 0) return bad_request("An upgrade request has no body.");
    if (request.header("sec-websocket-version") != "13") {
        auto refused = bad_request("Only version 13 of the WebSocket protocol is spoken here.");
        refused.response.status = 426;
        refused.response.headers.emplace_back("Sec-WebSocket-Version", "13");
        return refused;
    }
    const std::string key = request.header("sec-websocket-key");
    if (!is_key(key)) return bad_request("Sec-WebSocket-Key is not 16 bytes in base64.");
    if (!origin_allowed(request, origins)) return refuse_handshake(HandshakeRefusal::origin);

    const std::string protocols = request.header("sec-websocket-protocol");
    if (!protocols.empty() && !has_entry(protocols, "phoenix"))
        return refuse_handshake(HandshakeRefusal::subprotocol);

    const auto version = version_of(request);
    if (!version) return refuse_handshake(HandshakeRefusal::vsn);

    HttpResponse response;
    response.status = 101;
    response.headers.emplace_back("Upgrade", "websocket");
    response.headers.emplace_back("Connection", "Upgrade");
    response.headers.emplace_back("Sec-WebSocket-Accept", websocket_accept(key));
    if (!protocols.empty()) response.headers.emplace_back("Sec-WebSocket-Protocol", "phoenix");
    return Upgrade{to_bytes(response, true), *version};
}

HandshakeRefused refuse_handshake(HandshakeRefusal why) {
    if (why == HandshakeRefusal::too_many_connections)
        return {why, try_later(429, Reason::too_many_connections)};
    if (why == HandshakeRefusal::shutting_down) return {why, try_later(503, Reason::shutting_down)};
    HttpResponse forbidden;
    forbidden.status = 403;
    return {why, forbidden};
}

}  // namespace chatx::node
