#pragma once

#include "node/gateway/http.h"
#include "node/metrics.h"

#include <atomic>
#include <string>

namespace chatx::node {

/// What the public port answers beside the socket: health, metrics, the demo page. Any thread.
class Pages {
public:
    struct Options {
        bool demo = false;    // Serve the demo page.
        bool metrics = true;  // Serve `/metrics` here, and not on a listener of its own.
    };

    Pages(Options options, Metrics& metrics) : options_(options), metrics_(metrics) {}

    /// `/healthz` answers 200 while the process works, `/readyz` only while it takes clients and
    /// what they say: when it was told that it is ready, and its store is not down.
    void set_ready(bool ready) { ready_ = ready; }

    void set_store_down(bool down) { store_down_ = down; }

    [[nodiscard]] bool ready() const { return ready_ && !store_down_; }

    [[nodiscard]] HttpResponse answer(const HttpRequest& request) const;

private:
    [[nodiscard]] HttpResponse readiness() const;
    [[nodiscard]] HttpResponse file(std::string_view name) const;

    Options options_;
    Metrics& metrics_;
    std::atomic<bool> ready_ = false;
    std::atomic<bool> store_down_ = false;
};

/// The answer of `/metrics`.
HttpResponse metrics_page(Metrics& metrics);

}  // namespace chatx::node
