#include "tools/bench/floor_traffic.h"
#include "tools/bench/measurements.h"
#include "tools/bench/peers.h"
#include "tools/bench/traffic.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

namespace chatx::tools {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// When messages are due.
struct Pace {
    std::size_t count;
    Clock::duration interval;

    Pace(std::size_t rate, double seconds)
        : count(std::max<std::size_t>(
            1, static_cast<std::size_t>(static_cast<double>(rate) * seconds))),
          interval(std::chrono::nanoseconds(std::chrono::seconds(1)) / rate) {}
};

/// Sends at that pace and times each receipt.
std::vector<double> receipts_ms(
    Swarm& clients, std::string_view mark, const Pace& pace, const std::function<void()>& send) {
    std::vector<Clock::time_point> due;
    std::vector<std::size_t> heard(clients.size(), 0);  // By client. Messages come in order.
    std::vector<double> times;
    const std::size_t expected = pace.count * clients.size();
    times.reserve(expected);
    const auto on_message = [&](std::size_t client) {
        times.push_back(Milliseconds(Clock::now() - due.at(heard[client]++)).count());
        return times.size() < expected;
    };
    const auto begin = Clock::now() + pace.interval;
    for (std::size_t i = 0; i < pace.count; ++i) {
        const auto at = begin + pace.interval * i;
        clients.listen(mark, at, on_message);
        due.push_back(at);
        send();
    }
    clients.listen(mark, Clock::now() + Swarm::patience, on_message);
    if (times.size() < expected) throw std::runtime_error("waited too long for the server");
    return times;
}

double percentile(const std::vector<double>& sorted, double share) {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(rank, sorted.size() - 1)];
}

std::vector<double> percentiles(std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return {percentile(times, 0.5), percentile(times, 0.99), percentile(times, 0.999)};
}

}  // namespace

Result measure_latency(const Options& options) {
    const std::size_t subscribers = options.subscribers.value_or(latency_clients);
    Result result{
        .name = "latency",
        .parameters =
            {{"subscribers", subscribers},
             {"messages_per_second", options.rate},
             {"content_bytes", options.content_bytes}},
        .figures =
            {{.name = "ms to receipt, p50", .key = "p50_ms", .more_is_better = false},
             {.name = "ms to receipt, p99", .key = "p99_ms", .more_is_better = false},
             {.name = "ms to receipt, p99.9", .key = "p99_9_ms", .more_is_better = false}},
        .sides = {}};
    prctl(PR_SET_TIMERSLACK, 1UL);  // Sends when it is due, not 50 us later.

    const Layout layout = one_room(subscribers);
    const Pace pace(options.rate, options.seconds);
    Traffic ours(start_chatx(options), layout, options.content_bytes, 1);
    const std::size_t text_bytes = ours.wave();
    FloorTraffic floor(layout.rooms_of.size(), 1, text_bytes);
    std::unique_ptr<Traffic> bun;
    if (auto server = start_bun(options, text_bytes))
        bun = std::make_unique<Traffic>(std::move(server), layout, options.content_bytes, 1);

    const auto turn_of = [&](Traffic& traffic) {
        return percentiles(
            receipts_ms(traffic.clients(), traffic.server().mark(), pace, [&] { traffic.send(); }));
    };
    std::vector<Contestant> contestants{
        {.name = chatx_name, .turn = [&] { return turn_of(ours); }},
        {.name = floor_name, .turn = [&] {
             return percentiles(
                 receipts_ms(floor.clients(), FloorTraffic::mark, pace, [&] { floor.send(); }));
         }}};
    add_bun(contestants, options, [&] { return turn_of(*bun); });
    measure_rounds(result, contestants, options.rounds);
    return result;
}

}  // namespace chatx::tools
