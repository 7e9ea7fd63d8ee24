#include "tools/bench/fanout.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using namespace chatx::tools;

template <class Value>
double median(const std::vector<FanoutRound>& rounds, Value&& value) {
    std::vector<double> values;
    for (const FanoutRound& round : rounds)
        values.push_back(value(round));
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void print_table(const FanoutOptions& options, const std::vector<FanoutRound>& rounds) {
    std::printf(
        "fan-out: %zu subscribers, %zu undelivered, %zu bytes of content\n\n"
        "deliveries per CPU second\n"
        "round        chatx        floor    ratio\n",
        options.subscribers,
        options.undelivered,
        options.content_bytes);
    for (std::size_t i = 0; i < rounds.size(); ++i) {
        std::printf(
            "%5zu %12.0f %12.0f %8.2f\n",
            i + 1,
            rounds[i].ours,
            rounds[i].floor,
            rounds[i].ratio());
    }
    std::printf(
        "median%12.0f %12.0f %8.2f\n",
        median(rounds, [](const FanoutRound& round) { return round.ours; }),
        median(rounds, [](const FanoutRound& round) { return round.floor; }),
        median(rounds, [](const FanoutRound& round) { return round.ratio(); }));
}

int fanout(const FanoutOptions& options) {
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const auto rounds = measure_fanout(options, [&](std::size_t done) {
        if (terminal) std::fprintf(stderr, "\rround %zu of %zu", done, options.rounds);
    });
    if (terminal) std::fprintf(stderr, "\r\033[K");
    print_table(options, rounds);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(
        "Measures a node against the least that its work can cost. Loopback only.", "chatx-bench");
    app.require_subcommand(1);
    FanoutOptions options;
    options.node =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "chatxd").string();
    CLI::App* command =
        app.add_subcommand("fanout", "Deliveries of one room for each second of the server's CPU");
    command->add_option("--node", options.node, "The chatxd to measure")->capture_default_str();
    command->add_option("--subscribers", options.subscribers)
        ->check(CLI::Range(1, 15'000))
        ->capture_default_str();
    command->add_option("--undelivered", options.undelivered, "Messages on their way at a time")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command->add_option("--content", options.content_bytes, "Bytes")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    command->add_option("--rounds", options.rounds)
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    command->add_option("--seconds", options.seconds, "Of each measurement")
        ->check(CLI::Range(0.1, 60.0))
        ->capture_default_str();
    command->add_flag("--loud", options.loud, "Show what the node says");
    try {
        app.parse(argc, argv);
        return fanout(options);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "chatx-bench: %s\n", error.what());
        return 1;
    }
}
