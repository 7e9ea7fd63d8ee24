#include "tools/bench/floor_traffic.h"
#include "tools/bench/measurements.h"
#include "tools/bench/peers.h"
#include "tools/bench/traffic.h"

#include <chrono>
#include <functional>
#include <memory>

namespace chatx::tools {

namespace {

/// Repeats a wave for a while and returns the deliveries made in each second of the server's CPU
/// time.
double per_cpu_second(
    const Process& server,
    double seconds,
    std::size_t deliveries_per_wave,
    const std::function<void()>& wave) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    const auto cpu_before = server.cpu_time();
    std::size_t deliveries = 0;
    do {
        wave();
        deliveries += deliveries_per_wave;
    } while (Clock::now() < end);
    const std::chrono::duration<double> cpu = server.cpu_time() - cpu_before;
    return static_cast<double>(deliveries) / cpu.count();
}

Result measure_deliveries(
    Result result, const Options& options, const Layout& layout, std::size_t times) {
    result.figures = {
        {.name = "deliveries per CPU second",
         .key = "deliveries_per_cpu_second",
         .more_is_better = true}};

    Traffic ours(start_chatx(options), layout, options.content_bytes, times);
    const std::size_t text_bytes = ours.wave();
    FloorTraffic floor(layout.rooms_of.size(), layout.rooms_of.front().size() * times, text_bytes);
    std::unique_ptr<Traffic> bun;
    if (auto server = start_bun(options, text_bytes)) {
        bun = std::make_unique<Traffic>(std::move(server), layout, options.content_bytes, times);
    }

    const auto turn_of = [&](Traffic& traffic) {
        return std::vector{per_cpu_second(
            traffic.server().process(), options.seconds, traffic.deliveries_per_wave(), [&] {
                traffic.wave();
            })};
    };
    std::vector<Contestant> contestants{
        {.name = chatx_name, .turn = [&] { return turn_of(ours); }},
        {.name = floor_name, .turn = [&] {
             return std::vector{
                 per_cpu_second(floor.process(), options.seconds, floor.deliveries_per_wave(), [&] {
                     floor.wave();
                 })};
         }}};
    add_bun(contestants, options, [&] { return turn_of(*bun); });
    measure_rounds(result, contestants, options.rounds);
    return result;
}

}  // namespace

Result measure_fanout(const Options& options) {
    const std::size_t subscribers = options.subscribers.value_or(fanout_clients);
    const std::size_t undelivered = options.undelivered.value_or(fanout_undelivered);
    return measure_deliveries(
        {.name = "fanout",
         .parameters =
             {{"subscribers", subscribers},
              {"undelivered", undelivered},
              {"content_bytes", options.content_bytes}},
         .figures = {},
         .sides = {}},
        options,
        one_room(subscribers),
        undelivered);
}

Result measure_rooms(const Options& options) {
    const std::size_t clients = options.subscribers.value_or(rooms_clients);
    const std::size_t undelivered = options.undelivered.value_or(rooms_undelivered);
    return measure_deliveries(
        {.name = "rooms",
         .parameters =
             {{"subscribers", clients},
              {"rooms", clients * rooms_of_each / rooms_room_size},
              {"room_size", rooms_room_size},
              {"undelivered", undelivered},
              {"content_bytes", options.content_bytes}},
         .figures = {},
         .sides = {}},
        options,
        overlapping_rooms(clients),
        undelivered);
}

}  // namespace chatx::tools
