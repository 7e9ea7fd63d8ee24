#include "node/gateway/pages.h"

#include "node/gateway/web_page.h"
#include "node/process_stats.h"

#include <algorithm>
#include <utility>

namespace chatx::node {

namespace {

HttpResponse text(unsigned status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    response.headers.emplace_back("Cache-Control", "no-store");
    return response;
}

std::string_view content_type(std::string_view name) {
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    return "text/javascript; charset=utf-8";
}

// What a page of ours may do: talk to this host, and nothing else.
constexpr std::string_view content_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

HttpResponse metrics_page(Metrics& metrics) {
    HttpResponse response = text(200, metrics.render(read_process_stats()));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
}

HttpResponse Pages::answer(const HttpRequest& request) const {
    if (request.method != "GET" && request.method != "HEAD") {
        HttpResponse response = text(405, "Only GET and HEAD are answered here.\n");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return response;
    }
    if (request.path == "/healthz") return text(200, "ok\n");
    if (request.path == "/readyz") return readiness();
    if (request.path == "/metrics" && options_.metrics) return metrics_page(metrics_);
    if (!options_.demo) return text(404, "Nothing is here.\n");
    return request.path == "/" ? file("index.html")
                               : file(std::string_view(request.path).substr(1));
}

// Everybody can read this: what the store said is for the log.
HttpResponse Pages::readiness() const {
    if (!ready_) return text(503, "not ready\n");
    if (store_down_) return text(503, "not ready: the store takes nothing, see the log\n");
    return text(200, "ready\n");
}

HttpResponse Pages::file(std::string_view name) const {
    const auto files = web_files();
    const auto found = std::find_if(
        files.begin(), files.end(), [&](const WebFile& file) { return file.name == name; });
    if (found == files.end()) return text(404, "Nothing is here.\n");
    HttpResponse response;
    response.content_type = content_type(name);
    response.body = std::string(found->content);
    response.headers.emplace_back("Cache-Control", "no-cache");
    response.headers.emplace_back("Content-Security-Policy", std::string(content_policy));
    response.headers.emplace_back("X-Content-Type-Options", "nosniff");
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    return response;
}

}  // namespace chatx::node
