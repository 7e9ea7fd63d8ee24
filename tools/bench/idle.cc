#include "tools/bench/measurements.h"
#include "tools/bench/peers.h"
#include "tools/bench/swarm.h"
#include "tools/bench/traffic.h"

#include <chrono>
#include <memory>
#include <span>

namespace chatx::tools {

namespace {

using Clock = std::chrono::steady_clock;
using Rooms = std::span<const std::vector<std::string>>;

/// Clients that have entered and say nothing.
class Sleepers {
public:
    /// `first` is the number of the first one.
    Sleepers(const Server& server, Rooms rooms, std::size_t first)
        : server_(server), clients_(server.port(), rooms.size()) {
        clients_.enter(
            [&](std::size_t client) { return server.entry(first + client, rooms[client]); });
        clients_.settle(server.process());
    }

    /// Milliseconds of CPU time in a second.
    double cpu_per_second(double seconds) {
        const auto begin = Clock::now();
        const auto before = server_.process().cpu_time();
        const auto span = std::chrono::duration<double>(seconds);
        const auto end = begin + std::chrono::duration_cast<Clock::duration>(span);
        clients_.listen({}, end, [](std::size_t) { return true; });
        const std::chrono::duration<double, std::milli> cpu = server_.process().cpu_time() - before;
        return cpu.count() / std::chrono::duration<double>(Clock::now() - begin).count();
    }

private:
    const Server& server_;
    Swarm clients_;
};

std::vector<double> idle(const Server& server, Rooms rooms, double seconds) {
    constexpr double kibibyte = 1024;
    const std::size_t first = rooms.size() / 10;
    const Sleepers some(server, rooms.first(first), 0);
    const std::size_t before = server.process().resident_bytes();
    Sleepers others(server, rooms.subspan(first), first);
    const double cpu = others.cpu_per_second(seconds);
    const auto grown =
        static_cast<double>(server.process().resident_bytes()) - static_cast<double>(before);
    return {grown / kibibyte / static_cast<double>(rooms.size() - first), cpu};
}

}  // namespace

Result measure_idle(const Options& options) {
    const std::size_t count = options.subscribers.value_or(idle_clients);
    const std::size_t room_size = options.room_size.value_or(idle_room_size);
    Result result{
        .name = "idle",
        .parameters = {{"subscribers", count}, {"room_size", room_size}},
        .figures =
            {{.name = "KiB per connection", .key = "kib_per_connection", .more_is_better = false},
             {.name = "CPU ms per second", .key = "cpu_ms_per_second", .more_is_better = false}},
        .sides = {}};
    const auto rooms = separate_rooms(count, room_size);
    std::vector<Contestant> contestants{
        {.name = chatx_name,
         .turn = [&] { return idle(*start_chatx(options), rooms, options.seconds); }}};
    add_bun(
        contestants, options, [&] { return idle(*start_bun(options), rooms, options.seconds); });
    measure_rounds(result, contestants, options.rounds);
    return result;
}

}  // namespace chatx::tools
