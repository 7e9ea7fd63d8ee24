#include "node/gateway/poll_request.h"

#include "proto/json.h"

#include <utility>

namespace chatx::node {

namespace {

constexpr std::string_view json_type = "application/json; charset=utf-8";
constexpr std::string_view token_header = "x-phoenix-longpoll-token";

/// Seconds for which a browser remembers what a preflight said.
constexpr std::string_view preflight_age = "3600";

void add_headers(HttpResponse& response, const PollRequest& request) {
    response.content_type = json_type;
    response.headers.emplace_back("Cache-Control", "no-store");
    if (!request.allow_origin.empty())
        response.headers.emplace_back("Access-Control-Allow-Origin", request.allow_origin);
    if (request.origin_matters) response.headers.emplace_back("Vary", "Origin");
}

PollAnswered answered(unsigned status, const PollRequest& request, bool keep_alive) {
    PollAnswered answered;
    answered.response.status = status;
    answered.keep_alive = keep_alive;
    add_headers(answered.response, request);
    return answered;
}

/// What a browser asks before it lets a page of another site send headers of ours.
PollAnswered preflight(const HttpRequest& asked, const PollRequest& request) {
    PollAnswered answer = answered(200, request, request.keep_alive);
    auto& headers = answer.response.headers;
    if (auto wanted = asked.header("access-control-request-headers"); !wanted.empty())
        headers.emplace_back("Access-Control-Allow-Headers", std::move(wanted));
    headers.emplace_back("Access-Control-Allow-Methods", "get, post, options");
    headers.emplace_back("Access-Control-Max-Age", preflight_age);
    return answer;
}

PollRequest read_head(const HttpRequest& asked, const OriginPolicy& origins) {
    PollRequest request;
    request.post = asked.method == "POST";
    request.keep_alive = asked.keep_alive && (request.post || asked.content_length == 0);
    request.content_type = asked.header("content-type");
    request.token = asked.header(token_header);
    if (request.token.empty()) request.token = asked.parameter("token").value_or("");
    request.version = version_of(asked);
    if (const auto user = asked.parameter("user_id")) request.user = std::string(*user);
    request.origin_matters = !origins.allowed.empty();
    if (!request.origin_matters) {
        request.allow_origin = "*";
    } else if (origin_allowed(asked, origins)) {
        request.allow_origin = asked.header("origin");
    }
    return request;
}

}  // namespace

std::variant<PollRequest, PollAnswered> read_poll_request(
    const HttpRequest& request, const OriginPolicy& origins, std::size_t body_bytes_max) {
    PollRequest read = read_head(request, origins);
    if (request.method == "OPTIONS") return preflight(request, read);
    if (!read.post && request.method != "GET") return answered(400, read, false);
    if (!origin_allowed(request, origins)) {
        PollAnswered refused = answered(200, read, false);
        refused.response.body = poll_response(read, {PollStatus::forbidden, {}, true}, {}).body;
        refused.refusal = HandshakeRefusal::origin;
        return refused;
    }
    if (!read.post) return read;
    if (request.header("content-length").empty()) return answered(411, read, false);
    if (request.content_length > body_bytes_max) return answered(413, read, false);
    read.body_bytes = static_cast<std::size_t>(request.content_length);
    read.expects_continue = request.header("expect") == "100-continue";
    return read;
}

HttpResponse poll_response(
    const PollRequest& request, const PollAnswer& answer, std::string_view token) {
    HttpResponse response;
    add_headers(response, request);
    proto::json::Writer writer(response.body);
    writer.begin_object();
    if (!request.post && answer.status != PollStatus::forbidden) {
        writer.key("messages");
        writer.begin_array();
        for (const std::string& frame : answer.frames)
            writer.string(frame);
        writer.end_array();
    }
    writer.key("status");
    writer.number(static_cast<unsigned>(answer.status));
    if (!request.post && !token.empty()) {
        writer.key("token");
        writer.string(token);
    }
    writer.end_object();
    return response;
}

}  // namespace chatx::node
