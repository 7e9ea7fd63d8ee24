#include "tools/bench/doorman.h"
#include "tools/bench/measurements.h"
#include "tools/bench/peers.h"
#include "tools/bench/swarm.h"
#include "tools/bench/traffic.h"

#include <chrono>
#include <memory>
#include <utility>

namespace chatx::tools {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
using Rooms = std::vector<std::vector<std::string>>;

/// A server and the clients that come and go.
class Guests {
public:
    Guests(std::unique_ptr<Server> server, const Rooms& rooms)
        : server_(std::move(server)), rooms_(rooms), clients_(server_->port(), rooms.size()) {}

    [[nodiscard]] const Process& process() const { return server_->process(); }

    std::size_t enter(std::size_t at_once = Swarm::entering_at_once) {
        return clients_.enter(
            [&](std::size_t client) { return server_->entry(client, rooms_[client]); }, at_once);
    }

    void leave() {
        clients_.cut();
        settle();
    }

    void cut() { clients_.cut(); }

    void settle() { clients_.settle(process()); }

private:
    std::unique_ptr<Server> server_;
    const Rooms& rooms_;
    Swarm clients_;
};

/// Joins for each second of CPU time. What a client costs that leaves is not in it.
std::vector<double> joins_per_cpu_second(Guests& guests, std::size_t count, double seconds) {
    const auto end = Clock::now() + Seconds(seconds);
    Seconds cpu{};
    std::size_t joins = 0;
    do {
        const auto before = guests.process().cpu_time();
        guests.enter();
        cpu += guests.process().cpu_time() - before;
        joins += count;
        guests.leave();
    } while (Clock::now() < end);
    return {static_cast<double>(joins) / cpu.count()};
}

std::vector<double> storm(Guests& guests, std::size_t count) {
    const auto cpu_before = guests.process().cpu_time();
    const auto begin = Clock::now();
    guests.cut();
    const std::size_t refusals = guests.enter(count);
    const Seconds took = Clock::now() - begin;
    const Seconds cpu = guests.process().cpu_time() - cpu_before;
    guests.settle();
    return {took.count(), cpu.count(), static_cast<double>(refusals)};
}

/// The three servers with their guests, Bun where it is wanted.
struct Houses {
    Houses(const Options& options, const Rooms& rooms)
        : chatx(start_chatx(options), rooms), floor(std::make_unique<Doorman>(), rooms) {
        if (auto server = start_bun(options))
            bun = std::make_unique<Guests>(std::move(server), rooms);
    }

    std::vector<Contestant> contestants(
        const Options& options, const std::function<std::vector<double>(Guests&)>& turn) {
        std::vector<Contestant> all{
            {.name = chatx_name, .turn = [this, turn] { return turn(chatx); }},
            {.name = floor_name, .turn = [this, turn] { return turn(floor); }}};
        add_bun(all, options, [this, turn] { return turn(*bun); });
        return all;
    }

    Guests chatx;
    Guests floor;
    std::unique_ptr<Guests> bun;
};

}  // namespace

Result measure_connect(const Options& options) {
    const std::size_t count = options.subscribers.value_or(connect_clients);
    const std::size_t room_size = options.room_size.value_or(connect_room_size);
    Result result{
        .name = "connect",
        .parameters = {{"subscribers", count}, {"room_size", room_size}},
        .figures =
            {{.name = "joins per CPU second",
              .key = "joins_per_cpu_second",
              .more_is_better = true}},
        .sides = {}};
    const Rooms rooms = separate_rooms(count, room_size);
    Houses houses(options, rooms);
    const auto contestants = houses.contestants(options, [&](Guests& guests) {
        return joins_per_cpu_second(guests, count, options.seconds);
    });
    measure_rounds(result, contestants, options.rounds);
    return result;
}

Result measure_storm(const Options& options) {
    const std::size_t count = options.subscribers.value_or(storm_clients);
    const std::size_t room_size = options.room_size.value_or(storm_room_size);
    Result result{
        .name = "storm",
        .parameters = {{"subscribers", count}, {"room_size", room_size}},
        .figures =
            {{.name = "seconds until all are back",
              .key = "seconds_until_all_are_back",
              .more_is_better = false},
             {.name = "CPU seconds", .key = "cpu_seconds", .more_is_better = false},
             {.name = "refusals", .key = "refusals", .more_is_better = false}},
        .sides = {}};
    const Rooms rooms = separate_rooms(count, room_size);
    Houses houses(options, rooms);
    houses.chatx.enter();
    houses.floor.enter();
    if (houses.bun) houses.bun->enter();
    const auto contestants =
        houses.contestants(options, [&](Guests& guests) { return storm(guests, count); });
    measure_rounds(result, contestants, options.rounds);
    return result;
}

}  // namespace chatx::tools
