#include "node/gateway/http.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::string_view_literals;

/// The status that a head is refused with; 200 when it is taken, 0 when more has to come.
unsigned status_of(std::string_view bytes) {
    const auto parsed = parse_http_head(bytes);
    if (std::holds_alternative<HttpIncomplete>(parsed)) return 0;
    if (const auto* refused = std::get_if<HttpRefused>(&parsed)) return refused->status;
    return 200;
}

HttpRequest request_of(std::string_view bytes) {
    const auto parsed = parse_http_head(bytes);
    REQUIRE(std::holds_alternative<HttpParsed>(parsed));
    return std::get<HttpParsed>(parsed).request;
}

std::string get(std::string_view target, std::string_view headers = {}) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(headers)
           + "\r\n";
}

std::string headers(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i)
        text += "X-" + std::to_string(i) + ": v\r\n";
    return text;
}

/// A request whose head is that many bytes.
std::string head_of(std::size_t size) {
    const std::string shortest = get("/", "X: \r\n");
    return get("/", "X: " + std::string(size - shortest.size(), 'x') + "\r\n");
}

std::string target_of(std::size_t size) {
    return get("/" + std::string(size - 1, 'x'));
}

struct Case {
    std::string_view bytes;
    unsigned status;
};

}  // namespace

TEST_CASE("a head is taken, refused or waited for") {
    const std::vector<Case> cases{
        // Well formed.
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"GET / HTTP/1.0\r\n\r\n", 200},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 200},  // Of an address without a name.
        {"GET / HTTP/1.1\r\nhost:a\r\n\r\n", 200},
        {"GET / HTTP/1.1\r\nHOST:\t a \t\r\n\r\n", 200},
        {"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", 200},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 200},
        {"GET /?a=1&&b=2& HTTP/1.1\r\nHost: a\r\n\r\n", 200},
        {"GET /%41 HTTP/1.1\r\nHost: a\r\n\r\n", 200},

        // More has to come.
        {"", 0},
        {"G", 0},
        {"GET / HTTP/1.1", 0},
        {"GET / HTTP/1.1\r\nHost: a\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r", 0},
        {"GET / HTTP/1.1\nHost: a\n\n", 0},  // Bare line feeds end nothing; the deadline ends it.

        // The request line.
        {"\r\n\r\n", 400},
        {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / \r\nHost: a\r\n\r\n", 400},
        {"GET /\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.11\r\nHost: a\r\n\r\n", 400},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
        {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"sv, 400},  // A TLS hello.

        // The headers.
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"sv, 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"sv, 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\x01"
         "c\r\n\r\n",
         400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},

        // Bodies that servers and proxies are known to read differently.
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5,6\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400},

        // Percent-encoding.
        {"GET /% HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /%4%31 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /?a=%f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /?%=a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    };
    CHECK(cases.size() >= 60);
    for (const Case& one : cases) {
        INFO(std::string(one.bytes));
        CHECK(status_of(one.bytes) == one.status);
    }
}

TEST_CASE("no beginning of a good head is refused, and what follows it is not touched") {
    const std::string head = get("/socket/websocket?vsn=2.0.0", "Upgrade: websocket\r\n");
    for (std::size_t size = 0; size < head.size(); ++size)
        CHECK(status_of(head.substr(0, size)) == 0);
    const auto parsed = parse_http_head(head + "more");
    REQUIRE(std::holds_alternative<HttpParsed>(parsed));
    CHECK(std::get<HttpParsed>(parsed).size == head.size());
}

TEST_CASE("a head is at most 8 KiB") {
    CHECK(status_of(head_of(http_head_bytes_max - 1)) == 200);
    CHECK(status_of(head_of(http_head_bytes_max)) == 200);
    CHECK(status_of(head_of(http_head_bytes_max + 1)) == 431);
    CHECK(status_of(std::string(http_head_bytes_max - 1, 'x')) == 0);
    CHECK(status_of(std::string(http_head_bytes_max, 'x')) == 431);
    CHECK(status_of(get("/", "X: " + std::string(200'000, 'x') + "\r\n")) == 431);
}

TEST_CASE("a head has at most 64 headers") {
    CHECK(status_of(get("/", headers(http_headers_max - 2))) == 200);
    CHECK(status_of(get("/", headers(http_headers_max - 1))) == 200);  // With Host.
    CHECK(status_of(get("/", headers(http_headers_max))) == 431);
    CHECK(status_of(get("/", headers(3000))) == 431);
}

TEST_CASE("a target is at most 4 KiB") {
    CHECK(status_of(target_of(http_target_bytes_max - 1)) == 200);
    CHECK(status_of(target_of(http_target_bytes_max)) == 200);
    CHECK(status_of(target_of(http_target_bytes_max + 1)) == 414);
}

TEST_CASE("a request knows its parts") {
    const HttpRequest request = request_of(
        "GET /a%2Fb+c%20d?user_id=ann%20b+c&a[b]=1&&a%5Bb%5D=2&empty&vsn=1.0.0&vsn=2.0.0& "
        "HTTP/1.1\r\n"
        "Host: a\r\nX-Two: 1\r\nCookie: c\r\nx-tWO: 2\r\n\r\n");
    CHECK(request.method == "GET");
    CHECK(request.path == "/a/b+c d");
    CHECK(request.parameter("user_id") == "ann b c");
    CHECK(request.parameter("a[b]") == "2");
    CHECK(request.parameter("empty") == "");
    CHECK(request.parameter("vsn") == "2.0.0");
    CHECK_FALSE(request.parameter("absent"));
    CHECK(request.query.size() == 6);
    CHECK(request.header("x-two") == "1, 2");
    CHECK(request.header("absent").empty());
    CHECK(request.keep_alive);
}

TEST_CASE("a connection is kept as the version and the header say") {
    CHECK(request_of(get("/")).keep_alive);
    CHECK_FALSE(request_of(get("/", "Connection: close\r\n")).keep_alive);
    CHECK_FALSE(request_of(get("/", "Connection: CLOSE\r\n")).keep_alive);
    CHECK_FALSE(request_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
    CHECK(request_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST_CASE("the length of a body is told") {
    CHECK(request_of(get("/")).content_length == 0);
    CHECK(request_of(get("/", "Content-Length: 12\r\n")).content_length == 12);
}

TEST_CASE("percent-decoding gives back every byte and takes nothing malformed") {
    std::string encoded;
    std::string decoded;
    for (int byte = 0; byte < 256; ++byte) {
        constexpr std::string_view digits = "0123456789aBcDeF";
        encoded += {'%', digits.at(static_cast<std::size_t>(byte) / 16), digits.at(byte % 16)};
        decoded += static_cast<char>(byte);
    }
    CHECK(percent_decode(encoded, false) == decoded);
    CHECK(percent_decode("a+b", true) == "a b");
    CHECK(percent_decode("a+b", false) == "a+b");
    CHECK(percent_decode("%2B", true) == "+");
    CHECK(percent_decode("", true) == "");
    for (const std::string_view malformed : {"%", "%4", "a%", "%4g", "%g4", "%%41"}) {
        CHECK_FALSE(percent_decode(malformed, true));
    }
}

TEST_CASE("a response says how long it is and whether the connection goes on") {
    HttpResponse response;
    response.body = "hi";
    response.headers.emplace_back("X-More", "yes");
    CHECK(
        to_bytes(response, true)
        == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n"
           "Content-Type: text/plain; charset=utf-8\r\nX-More: yes\r\n\r\nhi");
    CHECK(
        to_bytes(response, false, true)
        == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"
           "Content-Type: text/plain; charset=utf-8\r\nX-More: yes\r\n\r\n");
    CHECK(
        to_bytes(HttpResponse{.status = 403, .body = {}, .headers = {}}, false)
        == "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

}  // namespace chatx::node
