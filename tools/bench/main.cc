#include "tools/bench/bun_server.h"
#include "tools/bench/interrupt.h"
#include "tools/bench/loopback.h"
#include "tools/bench/measurements.h"
#include "tools/bench/options.h"
#include "tools/bench/plot.h"
#include "tools/bench/report.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::tools {

namespace {

struct Measurement {
    const char* name;
    const char* what;
    Result (*measure)(const Options& options);
};

constexpr std::array<Measurement, 6> measurements{{
    {"connect", "joins per CPU second of the server", measure_connect},
    {"fanout", "deliveries of one large room per CPU second", measure_fanout},
    {"rooms", "the same with many small rooms", measure_rooms},
    {"storm", "everybody comes back at once", measure_storm},
    {"idle", "memory for each silent client", measure_idle},
    {"latency", "from send to receipt at a steady rate", measure_latency},
}};

/// What the command line says about the report, and what it is about.
struct Task {
    Options options;
    std::span<const Measurement> chosen;
    std::string bun;
    std::string peer;
    std::string plot;
    bool json = false;
};

void add_general_options(CLI::App& app, Task& task) {
    Options& o = task.options;
    app.add_option("--node", o.node, "the chatxd to measure, else the one beside this");
    app.add_option("--set", o.settings, "KEY=VALUE, a setting for it; may be repeated")
        ->allow_extra_args(false);
    app.add_option("--peer", task.peer, "measure this beside it: bun")
        ->check(CLI::IsMember({"bun"}));
    app.add_option("--bun", task.bun, "the program bun; implies --peer bun");
    app.add_option("--rounds", o.rounds, "in each, every side has its turn")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--seconds", o.seconds, "of a turn")
        ->check(CLI::Range(0.01, 60.0))
        ->capture_default_str();
    app.add_flag("--json", task.json, "print JSON, with every round");
    app.add_option("--plot", task.plot, "write the figures as a page into this file");
    app.add_flag("--loud", o.loud, "show what the servers say");
}

void add_load_options(CLI::App& app, Options& o) {
    app.add_option("--subscribers", o.subscribers, "clients, else what the measurement is made for")
        ->check(CLI::Range(1, 15'000));
    app.add_option("--undelivered", o.undelivered, "fanout, rooms: messages in a room at a time")
        ->check(CLI::Range(1, 64));
    app.add_option("--content", o.content_bytes, "fanout, rooms, latency: bytes in a message")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    app.add_option("--room-size", o.room_size, "connect, storm, idle: people in each room")
        ->check(CLI::Range(1, 15'000));
    app.add_option("--rate", o.rate, "latency: messages a second")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
}

void declare(CLI::App& app, Task& task) {
    app.require_subcommand(1);
    app.fallthrough();
    add_general_options(app, task);
    add_load_options(app, task.options);
    const auto add = [&](const char* name, const char* what, std::span<const Measurement> chosen) {
        CLI::App* command = app.add_subcommand(name, what);
        command->fallthrough();
        command->callback([&task, chosen] { task.chosen = chosen; });
    };
    for (const Measurement& one : measurements)
        add(one.name, one.what, std::span(&one, 1));
    add("all", "all of these, one after the other", measurements);
    app.footer(R"(Sides are measured in turn, and CPU time is that of the server's process alone.
The last column says how many times as good chatx is, median of the rounds
(lowest, highest): above 1 is in its favour.
  floor    what the work costs at least: sends of bytes made beforehand
  bun      the publish and subscribe of Bun, which is uWebSockets

Bun is looked for in tests/clients of the tree and in ~/.cache/chatx/bun:
  npm install --prefix ~/.cache/chatx/bun bun@1

Exit status: 0 ok, 1 failed, 2 usage, 130 interrupted.

Examples:
  chatx-bench fanout --undelivered 1
  chatx-bench all --peer bun --plot bench.html
  chatx-bench idle --subscribers 15000 --json)");
}

/// What is wrong beyond the grammar; empty: nothing.
std::string usage_problem(const Task& task) {
    const std::size_t clients = task.options.subscribers.value_or(rooms_clients);
    for (const Measurement& one : task.chosen) {
        if (one.measure == measure_rooms && clients % rooms_room_size != 0)
            return "rooms: --subscribers is a multiple of " + std::to_string(rooms_room_size);
        if (one.measure == measure_idle && clients < 10)
            return "idle: --subscribers is at least 10";
    }
    return {};
}

int usage(const std::string& why) {
    std::fprintf(stderr, "chatx-bench: %s; chatx-bench --help explains\n", why.c_str());
    return 2;
}

void write_plot(const std::string& path, const std::string& page) {
    std::ofstream file(path, std::ios::binary);
    file << page;
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path);
}

/// What this shell has set for nodes is not for the one that is measured: `--set` is.
void forget_node_settings() {
    std::vector<std::string> names;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text(*variable);
        if (text.starts_with("CHATX_")) names.emplace_back(text.substr(0, text.find('=')));
    }
    for (const std::string& name : names)
        unsetenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): no other thread is there.
}

void perform(const Task& task) {
    const Options& options = task.options;
    raise_open_files();
    forget_node_settings();
    if (!task.plot.empty()) write_plot(task.plot, {});  // Better known now than after minutes.
    std::vector<Result> results;
    for (const Measurement& one : task.chosen) {
        results.push_back(one.measure(options));
        if (task.json) continue;
        std::printf(
            "%s%s", results.size() > 1 ? "\n\n" : "", as_table(results.back(), options).c_str());
        std::fflush(stdout);
    }
    if (task.json) std::fputs(as_json(results, options).c_str(), stdout);
    if (!task.plot.empty()) write_plot(task.plot, as_page(results, options));
}

int run(int argc, char** argv) {
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    Task task;
    task.options.node = (here / "chatxd").string();
    CLI::App app(
        "Measures a node beside the least that its work can cost. Loopback only.", "chatx-bench");
    declare(app, task);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return error.get_exit_code() == 0 ? app.exit(error) : usage(error.what());
    }
    if (const std::string problem = usage_problem(task); !problem.empty()) return usage(problem);
    task.options.peer = !task.peer.empty() || !task.bun.empty();
    if (task.options.peer) task.options.bun = find_bun(task.bun, here);
    perform(task);
    return 0;
}

}  // namespace

}  // namespace chatx::tools

int main(int argc, char** argv) {
    constexpr int interrupted = 130;
    try {
        chatx::tools::note_interrupts();
        return chatx::tools::run(argc, argv);
    } catch (const chatx::tools::Interrupted&) {
        std::fputs("chatx-bench: interrupted\n", stderr);
        return interrupted;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chatx-bench: %s\n", error.what());
        return 1;
    }
}
