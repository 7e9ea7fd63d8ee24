#include "node/gateway/pages.h"

#include "node/gateway/web_page.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace chatx::node {

namespace {

HttpRequest request_for(std::string_view path, std::string_view method = "GET") {
    HttpRequest request;
    request.method = method;
    request.path = path;
    return request;
}

std::string header_of(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) return value;
    }
    return {};
}

struct Bench {
    Metrics metrics{{.shards = 1, .version = "1.2.3", .started_at = {}}};
};

}  // namespace

TEST_CASE("health is told always, readiness only while clients are taken") {
    Bench bench;
    Pages pages({}, bench.metrics);
    CHECK(pages.answer(request_for("/healthz")).status == 200);
    CHECK(pages.answer(request_for("/readyz")).status == 503);
    pages.set_ready(true);
    CHECK(pages.answer(request_for("/readyz")).status == 200);
    pages.set_ready(false);
    CHECK(pages.answer(request_for("/readyz")).status == 503);
}

TEST_CASE("while the store is down the node is not ready, and says why") {
    Bench bench;
    Pages pages({}, bench.metrics);
    pages.set_ready(true);
    pages.set_store_down(true);
    const HttpResponse answer = pages.answer(request_for("/readyz"));
    CHECK(answer.status == 503);
    CHECK(answer.body.find("store") != std::string::npos);
    CHECK_FALSE(pages.ready());
    CHECK(pages.answer(request_for("/healthz")).status == 200);
    pages.set_store_down(false);
    CHECK(pages.answer(request_for("/readyz")).status == 200);
}

TEST_CASE("metrics are on this port unless they have one of their own") {
    Bench bench;
    const HttpResponse shown = Pages({}, bench.metrics).answer(request_for("/metrics"));
    CHECK(shown.status == 200);
    CHECK(shown.content_type == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(shown.body.find("chatx_") != std::string::npos);
    CHECK(
        Pages({.demo = true, .metrics = false}, bench.metrics)
            .answer(request_for("/metrics"))
            .status
        == 404);
}

TEST_CASE("the demo page is there only when it is wanted, and may talk to this host alone") {
    Bench bench;
    CHECK(Pages({}, bench.metrics).answer(request_for("/")).status == 404);

    const Pages pages({.demo = true, .metrics = true}, bench.metrics);
    for (const WebFile& file : web_files()) {
        const HttpResponse response = pages.answer(request_for("/" + std::string(file.name)));
        CHECK(response.status == 200);
        CHECK(response.body == file.content);
        CHECK(header_of(response, "Content-Security-Policy").starts_with("default-src 'none'"));
        CHECK(header_of(response, "X-Content-Type-Options") == "nosniff");
    }
    CHECK(pages.answer(request_for("/")).content_type == "text/html; charset=utf-8");
    CHECK(pages.answer(request_for("/app.css")).content_type == "text/css; charset=utf-8");
    CHECK(pages.answer(request_for("/app.js")).content_type == "text/javascript; charset=utf-8");
}

TEST_CASE("nothing outside the embedded files is served") {
    Bench bench;
    const Pages pages({.demo = true, .metrics = true}, bench.metrics);
    for (const std::string_view path :
         {"/absent",
          "//",
          "/../etc/passwd",
          "/app.js/",
          "/APP.JS",
          "/./app.js",
          "/socket",
          "/api/v1/rooms"}) {
        CHECK(pages.answer(request_for(path)).status == 404);
    }
}

TEST_CASE("only GET and HEAD are answered") {
    Bench bench;
    const Pages pages({.demo = true, .metrics = true}, bench.metrics);
    CHECK(pages.answer(request_for("/healthz", "HEAD")).status == 200);
    for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "get", ""}) {
        const HttpResponse response = pages.answer(request_for("/healthz", method));
        CHECK(response.status == 405);
        CHECK(header_of(response, "Allow") == "GET, HEAD");
    }
}

}  // namespace chatx::node
