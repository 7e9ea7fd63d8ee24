#include "node/gateway/poll_request.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

constexpr std::size_t body_max = 1000;
const std::vector<std::string> configured{"https://chat.example.com", "https://other.example.com"};

HttpRequest request_of(
    std::string_view method, std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpRequest request;
    request.method = method;
    request.path = long_poll_path;
    request.query = {{"user_id", "ann"}, {"vsn", "2.0.0"}, {"token", "of the query"}};
    request.headers = std::move(headers);
    request.headers.emplace_back("host", "localhost:4000");
    return request;
}

HttpRequest post_of(std::string_view length) {
    HttpRequest request = request_of("POST", {{"content-length", std::string(length)}});
    request.content_length = std::stoull(std::string(length));
    return request;
}

PollRequest read(const HttpRequest& request, const OriginPolicy& origins = {}) {
    auto outcome = read_poll_request(request, origins, body_max);
    REQUIRE(std::holds_alternative<PollRequest>(outcome));
    return std::get<PollRequest>(std::move(outcome));
}

PollAnswered answered(const HttpRequest& request, const OriginPolicy& origins = {}) {
    auto outcome = read_poll_request(request, origins, body_max);
    REQUIRE(std::holds_alternative<PollAnswered>(outcome));
    return std::get<PollAnswered>(std::move(outcome));
}

std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) return value;
    }
    return "none";
}

}  // namespace

TEST_CASE("the token is in the query or in a header, which wins; without one it is empty") {
    CHECK(read(request_of("GET")).token == "of the query");
    CHECK(read(request_of("GET", {{"x-phoenix-longpoll-token", "t"}})).token == "t");
    CHECK(read(request_of("GET", {{"x-phoenix-longpoll-token", ""}})).token == "of the query");
    HttpRequest first = request_of("GET");
    first.query.clear();
    const PollRequest read_first = read(first);
    CHECK(read_first.token.empty());
    CHECK_FALSE(read_first.user);
    CHECK(read_first.version == proto::phoenix::Version::v1);
    CHECK(read(request_of("GET")).version == proto::phoenix::Version::v2);
    CHECK(read(request_of("GET")).user == "ann");
}

TEST_CASE("a post says the length of its body, up to the bound") {
    const PollRequest post = read(post_of("1000"));
    CHECK(post.post);
    CHECK(post.body_bytes == 1000);
    CHECK(read(post_of("0")).body_bytes == 0);
    CHECK(answered(request_of("POST")).response.status == 411);
    const PollAnswered too_large = answered(post_of("1001"));
    CHECK(too_large.response.status == 413);
    CHECK_FALSE(too_large.keep_alive);
}

TEST_CASE("a preflight is answered with the headers that it asked for") {
    const PollAnswered answer = answered(
        request_of("OPTIONS", {{"access-control-request-headers", "x-phoenix-authtoken"}}));
    CHECK(answer.response.status == 200);
    CHECK(answer.response.body.empty());
    CHECK(answer.keep_alive);
    CHECK(header(answer.response, "Access-Control-Allow-Headers") == "x-phoenix-authtoken");
    CHECK(header(answer.response, "Access-Control-Allow-Methods") == "get, post, options");
    CHECK(header(answer.response, "Access-Control-Max-Age") == "3600");
    CHECK(header(answer.response, "Access-Control-Allow-Origin") == "*");
}

TEST_CASE("other methods are bad requests") {
    for (const std::string_view method : {"PUT", "DELETE", "HEAD", "PATCH", "TRACE"})
        CHECK(answered(request_of(method)).response.status == 400);
}

TEST_CASE("a page that may not connect is refused with 403 in the body, whatever it asks") {
    for (const std::string_view method : {"GET", "POST"}) {
        const PollAnswered answer =
            answered(request_of(method, {{"origin", "https://evil.example.com"}}));
        CHECK(answer.response.status == 200);
        CHECK(answer.response.body == R"({"status":403})");
        CHECK(answer.refusal == HandshakeRefusal::origin);
    }
    CHECK(read(request_of("GET", {{"origin", "http://localhost:4000"}})).allow_origin == "*");
}

TEST_CASE("with configured origins only those may read the answers") {
    const OriginPolicy origins{configured};
    const PollRequest good = read(request_of("GET", {{"origin", configured[1]}}), origins);
    const HttpResponse response = poll_response(good, {PollStatus::nothing, {}, true}, "t");
    CHECK(header(response, "Access-Control-Allow-Origin") == configured[1]);
    CHECK(header(response, "Vary") == "Origin");
    for (const std::string_view method : {"GET", "OPTIONS"}) {
        const PollAnswered bad =
            answered(request_of(method, {{"origin", "https://evil.example.com"}}), origins);
        CHECK(header(bad.response, "Access-Control-Allow-Origin") == "none");
        CHECK(header(bad.response, "Vary") == "Origin");
    }
    CHECK(read(request_of("GET"), origins).allow_origin.empty());
}

TEST_CASE("an answer is JSON with the outcome, and is not kept by caches") {
    const PollRequest poll = read(request_of("GET"));
    const HttpResponse frames =
        poll_response(poll, {PollStatus::ok, {R"(["a"])", "\u2028"}, true}, "t");
    CHECK(frames.status == 200);
    CHECK(frames.content_type == "application/json; charset=utf-8");
    CHECK(header(frames, "Cache-Control") == "no-store");
    CHECK(frames.body == R"({"messages":["[\"a\"]","\u2028"],"status":200,"token":"t"})");
    CHECK(
        poll_response(poll, {PollStatus::gone, {}, true}, "t").body
        == R"({"messages":[],"status":410,"token":"t"})");
    CHECK(poll_response(poll, {PollStatus::forbidden, {}, true}, "").body == R"({"status":403})");
    const PollRequest post = read(post_of("1"));
    CHECK(poll_response(post, {PollStatus::ok, {}, true}, "t").body == R"({"status":200})");
    CHECK(poll_response(post, {PollStatus::gone, {}, false}, "t").body == R"({"status":410})");
}

TEST_CASE("a connection goes on behind a poll without a body") {
    CHECK(read(request_of("GET")).keep_alive);
    HttpRequest with_body = request_of("GET", {{"content-length", "3"}});
    with_body.content_length = 3;
    CHECK_FALSE(read(with_body).keep_alive);
    CHECK(read(post_of("3")).keep_alive);
    HttpRequest last = post_of("3");
    last.keep_alive = false;
    CHECK_FALSE(read(last).keep_alive);
}

}  // namespace chatx::node
