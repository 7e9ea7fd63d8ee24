#pragma once

#include "node/gateway/listener.h"
#include "node/log.h"
#include "node/metrics.h"
#include "node/net/adapter_pool.h"
#include "node/net/admission.h"
#include "node/net/shard.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace chatx::node::test {

/// A node on a free port of loopback, in memory: shards, gateways and a listener, as the server
/// wires them.
class NetNode {
public:
    struct Options {
        std::uint16_t shards = 1;
        GatewayOptions gateway;
        RoomHostOptions rooms;
        Admission::Limits admission{
            .connections_max = 10'000,
            .connections_per_address_max = 10,
            .connections_per_user_max = 1000};
        ListenerOptions listener{};
        AdapterPool::Options adapters;
        Adapters checks;
        std::function<HttpResponse(const HttpRequest&)> page = echo;
        LogLevel log = LogLevel::error;
    };

    explicit NetNode(Options options)
        : log_({.level = options.log, .now = monotonic_now, .out = &lines_}),
          metrics_({.shards = options.shards, .version = "test", .started_at = {}}),
          admission_(options.admission) {
        const auto chain = engine::Chain::build(
            {.names = {"auth", "moderation"},
             .custom = {},
             .auth = options.checks.auth != nullptr,
             .moderation = options.checks.moderation != nullptr});
        adapters_.emplace(std::get<engine::Chain>(chain), options.adapters);
        options.gateway.session.authorize = options.checks.auth != nullptr;
        options.gateway.session.node = "n1";
        for (std::uint16_t i = 0; i < options.shards; ++i) {
            shards_.push_back(std::make_unique<Shard>(
                Shard::Options{
                    .place =
                        {.shard = i,
                         .shards = options.shards,
                         .node = 0,
                         .epoch = {0, 1, 0},
                         .last_id = {}},
                    .rooms = options.rooms,
                    .chain = std::get<engine::Chain>(chain),
                    .gateway = options.gateway},
                Shard::Wiring{
                    .shards = shards_,
                    .store = nullptr,
                    .adapters = *adapters_,
                    .admission = admission_,
                    .checks = options.checks,
                    .metrics = metrics_.shard(i),
                    .log = log_,
                    .page = options.page}));
        }
        listener_.emplace(
            boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0),
            shards_,
            admission_,
            metrics_.shard(0),
            options.listener);
        REQUIRE_FALSE(listener_->open());
        for (const auto& shard : shards_)
            shard->start();
        shards_.front()->call([this](Shard&) { listener_->start(); });
    }

    NetNode(const NetNode&) = delete;
    NetNode& operator=(const NetNode&) = delete;

    /// What a call on a shard's thread returns.
    template <class Call>
    auto on(std::size_t shard, Call call) {
        using Result = decltype(call(std::declval<Shard&>()));
        const auto promise = std::make_shared<std::promise<Result>>();
        auto result = promise->get_future();
        shards_.at(shard)->call([promise, call](Shard& self) { promise->set_value(call(self)); });
        REQUIRE(result.wait_for(std::chrono::seconds(10)) == std::future_status::ready);
        return result.get();
    }

    /// Takes no more connections. A shard can stop only then.
    void stop_listening() {
        if (!std::exchange(listening_, false)) return;
        (void)on(0, [this](Shard&) {
            listener_->stop();
            return true;
        });
    }

    ~NetNode() {
        stop_listening();
        adapters_->stop();
        for (const auto& shard : shards_)
            shard->stop();
    }

    [[nodiscard]] std::uint16_t port() const { return listener_->endpoint().port(); }

    [[nodiscard]] std::size_t connection_count() {
        std::size_t count = 0;
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            count += on(i, [](Shard& shard) { return shard.gateway().connection_count(); });
        }
        return count;
    }

    [[nodiscard]] std::size_t subscriber_count() {
        std::size_t count = 0;
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            count += on(i, [](Shard& shard) {
                std::size_t subscribers = 0;
                for (const engine::Room* room : shard.core().rooms().list(std::nullopt, 1000)) {
                    subscribers += room->subscriber_count();
                }
                return subscribers;
            });
        }
        return count;
    }

    /// The value of a series of `/metrics`, named with its labels.
    [[nodiscard]] double series(const std::string& name) {
        const std::string text = metrics_.render(std::nullopt);
        const std::size_t at = text.find("\n" + name + " ");
        REQUIRE_MESSAGE(at != text.npos, name);
        return std::stod(text.substr(at + name.size() + 2));
    }

    [[nodiscard]] Admission& admission() { return admission_; }

    [[nodiscard]] Shard& shard(std::uint16_t index) { return *shards_.at(index); }

    [[nodiscard]] Logger& log() { return log_; }

    /// What shard 0 has logged so far.
    [[nodiscard]] std::string log_lines() {
        return on(0, [this](Shard&) { return lines_.str(); });
    }

    [[nodiscard]] Listener& listener() { return *listener_; }

private:
    static HttpResponse echo(const HttpRequest& request) {
        HttpResponse response;
        response.body = request.method + " " + request.path;
        return response;
    }

    std::ostringstream lines_;
    Logger log_;
    Metrics metrics_;
    std::optional<AdapterPools> adapters_;
    Admission admission_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::optional<Listener> listener_;
    bool listening_ = true;
};

/// Waits until something is so, at most 10 s.
template <class Condition>
bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

/// Nobody is connected any more, and nothing remembers that somebody was.
inline bool deserted(NetNode& node) {
    return eventually([&] {
        return node.connection_count() == 0 && node.admission().connection_count() == 0
               && node.subscriber_count() == 0;
    });
}

}  // namespace chatx::node::test
