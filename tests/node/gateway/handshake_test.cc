#include "node/gateway/handshake.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

constexpr std::string_view sample_key = "dGhlIHNhbXBsZSBub25jZQ==";

HttpRequest upgrade_request() {
    HttpRequest request;
    request.method = "GET";
    request.path = "/socket/websocket";
    request.query = {{"vsn", "2.0.0"}};
    request.headers = {
        {"host", "chat.example.com"},
        {"upgrade", "websocket"},
        {"connection", "Upgrade"},
        {"sec-websocket-version", "13"},
        {"sec-websocket-key", std::string(sample_key)}};
    return request;
}

/// The request with a header set anew, or taken away.
HttpRequest with(std::string_view name, std::string_view value) {
    HttpRequest request = upgrade_request();
    std::erase_if(request.headers, [&](const auto& header) { return header.first == name; });
    request.headers.emplace_back(name, value);
    return request;
}

HttpRequest without(std::string_view name) {
    HttpRequest request = upgrade_request();
    std::erase_if(request.headers, [&](const auto& header) { return header.first == name; });
    return request;
}

HttpRequest with_query(std::vector<std::pair<std::string, std::string>> query) {
    HttpRequest request = upgrade_request();
    request.query = std::move(query);
    return request;
}

unsigned status_of(const HttpRequest& request, const std::vector<std::string>& origins = {}) {
    const auto outcome = websocket_handshake(request, {origins});
    if (const auto* refused = std::get_if<HandshakeRefused>(&outcome))
        return refused->response.status;
    return 101;
}

std::string response_to(const HttpRequest& request) {
    const auto outcome = websocket_handshake(request, {});
    REQUIRE(std::holds_alternative<Upgrade>(outcome));
    return std::get<Upgrade>(outcome).response;
}

struct Spelling {
    std::string_view origin;
    unsigned status;
};

}  // namespace

TEST_CASE("the accept value is the one of RFC 6455, section 1.3") {
    CHECK(websocket_accept(sample_key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("a good upgrade is answered with 101 and nothing that was not asked for") {
    CHECK(
        response_to(upgrade_request())
        == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
}

TEST_CASE("the words of an upgrade may be written as clients write them") {
    CHECK(status_of(with("upgrade", "WebSocket")) == 101);
    CHECK(status_of(with("upgrade", "h2c, websocket")) == 101);
    CHECK(status_of(with("connection", "keep-alive, Upgrade")) == 101);  // Firefox.
    CHECK(status_of(with("connection", "UPGRADE")) == 101);
}

TEST_CASE("what is no upgrade is answered with 400, another protocol version with 426") {
    HttpRequest post = upgrade_request();
    post.method = "POST";
    CHECK(status_of(post) == 400);
    HttpRequest lower_case = upgrade_request();
    lower_case.method = "get";
    CHECK(status_of(lower_case) == 400);
    HttpRequest body = upgrade_request();
    body.content_length = 1;
    CHECK(status_of(body) == 400);

    for (const std::string_view name : {"upgrade", "connection", "sec-websocket-key"}) {
        CHECK(status_of(without(name)) == 400);
        CHECK(status_of(with(name, "")) == 400);
        CHECK(status_of(with(name, "websockets")) == 400);
    }
    CHECK(status_of(without("sec-websocket-version")) == 426);
    for (const std::string_view version : {"", "8", "013", "13.0", "14", "13, 13"}) {
        CHECK(status_of(with("sec-websocket-version", version)) == 426);
    }
}

TEST_CASE("a key is 16 bytes in base64") {
    for (const std::string_view key :
         {"dGhlIHNhbXBsZSBub25jZQ=",
          "dGhlIHNhbXBsZSBub25jZQ",
          "dGhlIHNhbXBsZSBub25jZQ===",
          "dGhlIHNhbXBsZSBub25j\"Q==",
          "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
          "dGhlIHNhbXBsZSBub25jZ\nQ="}) {
        CHECK(status_of(with("sec-websocket-key", key)) == 400);
    }
}

TEST_CASE("vsn chooses the version of the frames, or the connection is refused") {
    using proto::phoenix::Version;
    const auto version_of = [](const HttpRequest& request) {
        const auto outcome = websocket_handshake(request, {});
        REQUIRE(std::holds_alternative<Upgrade>(outcome));
        return std::get<Upgrade>(outcome).version;
    };
    CHECK(version_of(with_query({{"vsn", "2.0.0"}})) == Version::v2);
    CHECK(version_of(with_query({{"vsn", "2.0.1"}})) == Version::v2);
    CHECK(
        version_of(with_query({{"a[b]", "1"}, {"user_id", ""}, {"vsn", "2.0.0"}})) == Version::v2);
    CHECK(version_of(with_query({{"vsn", "1.0.0"}})) == Version::v1);
    CHECK(version_of(with_query({})) == Version::v1);
    // The last one counts.
    CHECK(version_of(with_query({{"vsn", "1.0.0"}, {"vsn", "2.0.0"}})) == Version::v2);

    for (const std::string_view vsn :
         {"1.1.0", "2.1.0", "3.0.0", "2", "2.0", "abc", "", "2.0.0 ", "2.0.0.0"}) {
        INFO(vsn);
        CHECK(status_of(with_query({{"vsn", std::string(vsn)}})) == 403);
    }
    CHECK(status_of(with_query({{"vsn[]", "2.0.0"}})) == 403);
    CHECK(status_of(with_query({{"vsn", "2.0.0"}, {"vsn[a]", "1"}})) == 403);
}

TEST_CASE("of subprotocols `phoenix` is chosen, and never the one that carries a token") {
    const std::string token = "base64url.bearer.phx.c2VjcmV0";
    for (const std::string& offer :
         {"phoenix, " + token, token + ",phoenix", "graphql, phoenix, " + token}) {
        const std::string response = response_to(with("sec-websocket-protocol", offer));
        CHECK(response.find("Sec-WebSocket-Protocol: phoenix\r\n") != response.npos);
        CHECK(response.find(token) == response.npos);
    }
    for (const std::string_view offer : {"graphql", "phoenixx", "x phoenix", ",", ", ,"}) {
        CHECK(status_of(with("sec-websocket-protocol", offer)) == 403);
    }
    CHECK(status_of(with("sec-websocket-protocol", token)) == 403);
    CHECK(status_of(with("sec-websocket-protocol", std::string(7000, ' ') + "phoenix")) == 101);
}

TEST_CASE("by default a page of the host itself may open a socket, and no other") {
    const std::vector<Spelling> spellings{
        {"https://chat.example.com", 101},
        {"http://chat.example.com", 101},
        {"HTTPS://CHAT.EXAMPLE.COM", 101},
        {"", 101},  // As good as none.
        {"null", 403},
        {"https://example.com", 403},
        {"https://evil.com", 403},
        {"https://chat.example.com.evil.com", 403},
        {"https://evil-chat.example.com", 403},
        {"https://xchat.example.com", 403},
        {"https://chat.example.com:443", 403},
        {"https://chat.example.com:4000", 403},
        {"https://chat.example.com:", 403},
        {"https://chat.example.com.", 403},
        {"https://chat.example.com/", 403},
        {"https://chat.example.com/page", 403},
        {"https://chat.example.com?", 403},
        {"https://chat.example.com#", 403},
        {"https://chat.example.com@evil.com", 403},
        {"https://evil.com@chat.example.com", 403},
        {"https://user:pass@chat.example.com", 403},
        {"https://chat.example.com, https://evil.com", 403},
        {"https://evil.com, https://chat.example.com", 403},
        {"https://chat.example.com https://evil.com", 403},
        {" https://chat.example.com", 403},
        {"https:chat.example.com", 403},
        {"https:///chat.example.com", 403},
        {"https://ch\xD0\xB0t.example.com", 403},  // A Cyrillic letter.
        {"https://xn--cht-7cd.example.com", 403},
        {"https://chat\xE3\x80\x82"
         "example.com",
         403},  // An ideographic full stop.
        {"ftp://chat.example.com", 403},
        {"file://", 403},
        {"chrome-extension://chat.example.com", 403},
        {"javascript://chat.example.com", 403},
        {"chat.example.com", 403},
        {"//chat.example.com", 403},
        {"*", 403},
    };
    for (const Spelling& spelling : spellings) {
        INFO(spelling.origin);
        CHECK(status_of(with("origin", spelling.origin)) == spelling.status);
    }
    CHECK(status_of(upgrade_request()) == 101);  // A native client has none.
}

TEST_CASE("the port is a part of the origin") {
    HttpRequest request = with("origin", "http://localhost:4000");
    request.headers.front().second = "localhost:4000";
    CHECK(status_of(request) == 101);
    request.headers.front().second = "localhost";
    CHECK(status_of(request) == 403);
    request.headers.front().second = "127.0.0.1:4000";
    CHECK(status_of(request) == 403);
}

TEST_CASE("without a host no page may open a socket") {
    HttpRequest request = with("origin", "http://");
    std::erase_if(request.headers, [](const auto& header) { return header.first == "host"; });
    CHECK(status_of(request) == 403);
}

TEST_CASE("a list of origins is exact, and leaves the own host out") {
    const std::vector<std::string> origins{"https://app.example.com", "http://localhost:3000"};
    CHECK(status_of(with("origin", "https://app.example.com"), origins) == 101);
    CHECK(status_of(with("origin", "http://localhost:3000"), origins) == 101);
    CHECK(status_of(upgrade_request(), origins) == 101);
    for (const std::string_view other :
         {"https://chat.example.com",
          "http://app.example.com",
          "https://app.example.com:443",
          "http://localhost",
          "null"}) {
        CHECK(status_of(with("origin", other), origins) == 403);
    }
}

TEST_CASE("refusing is cheap: a 403 has no body") {
    const auto outcome = websocket_handshake(with("origin", "null"), {});
    CHECK(std::get<HandshakeRefused>(outcome).response.body.empty());
}

TEST_CASE("a refusal names its reason") {
    const auto why = [](const HttpRequest& request) {
        const auto outcome = websocket_handshake(request, {});
        return std::get<HandshakeRefused>(outcome).why;
    };
    CHECK(why(without("upgrade")) == HandshakeRefusal::not_an_upgrade);
    CHECK(why(without("sec-websocket-version")) == HandshakeRefusal::not_an_upgrade);
    CHECK(why(with("origin", "null")) == HandshakeRefusal::origin);
    CHECK(why(with("sec-websocket-protocol", "graphql")) == HandshakeRefusal::subprotocol);
    CHECK(why(with_query({{"vsn", "3.0.0"}})) == HandshakeRefusal::vsn);
}

TEST_CASE("what may be otherwise in a while is answered with when and why, in words of the wire") {
    const auto refused = [](HandshakeRefusal why) {
        return to_bytes(refuse_handshake(why).response, false);
    };
    CHECK(
        refused(HandshakeRefusal::too_many_connections)
        == "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 55\r\nConnection: close\r\n"
           "Content-Type: application/json\r\nRetry-After: 5\r\n\r\n"
           R"({"reason":"too_many_connections","retry_after_ms":5000})");
    const std::string stopping = refused(HandshakeRefusal::shutting_down);
    CHECK(stopping.starts_with("HTTP/1.1 503 "));
    CHECK(stopping.find("Retry-After: 5\r\n") != stopping.npos);
    CHECK(stopping.ends_with(R"({"reason":"shutting_down","retry_after_ms":5000})"));
    CHECK(refused(HandshakeRefusal::user).starts_with("HTTP/1.1 403 "));
}

}  // namespace chatx::node
