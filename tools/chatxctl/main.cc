#include "node/version.h"
#include "proto/nearest.h"
#include "proto/utf8.h"
#include "tools/chatxctl/bench_command.h"
#include "tools/chatxctl/client.h"
#include "tools/chatxctl/connection_commands.h"
#include "tools/chatxctl/node_commands.h"
#include "tools/chatxctl/offline_commands.h"
#include "tools/chatxctl/output.h"
#include "tools/chatxctl/room_commands.h"
#include "tools/chatxctl/text.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::tools {

namespace {

constexpr std::string_view server_scheme = "unix:";

/// What the command line says, for all commands.
struct Options {
    std::string socket;
    std::string server;
    bool json = false;

    PageOptions page;
    std::string room;
    HistoryOptions history;
    TailOptions tail;
    SendOptions send;
    std::string connection;
    bool slow = false;
    std::vector<std::string> letters;
    bool all_letters = false;
    std::string config_file;
    std::string reason;
};

/// What a command does, once the command line is read.
using Run = std::function<ExitCode(const Client& client, const Output& out)>;

/// The commands: each puts what it does into `run` when it is named.
class Commands {
public:
    Commands(CLI::App& app, Options& options) : options_(options) {
        add_room_commands(
            group(app, "room", "rooms: where they are, who is in them, what is said"));
        add_connection_commands(group(app, "conn", "connections of clients"));
        add_letter_commands(group(app, "dead-letter", "messages that an adapter did not take"));
        add_config_commands(group(app, "config", "the configuration"));
        add_errors_command(app);
        add_bench_command(app);
        CLI::App& node = group(app, "node", "the node itself");
        add(node, "info", "version, uptime, load and addresses", node_info);
    }

    [[nodiscard]] const Run& run() const { return run_; }

private:
    static CLI::App& group(CLI::App& app, const std::string& name, const std::string& what) {
        CLI::App* command = app.add_subcommand(name, what);
        command->require_subcommand(1);
        command->fallthrough();
        return *command;
    }

    CLI::App& add(CLI::App& parent, const std::string& name, const std::string& what, Run run) {
        CLI::App* command = parent.add_subcommand(name, what);
        command->fallthrough();
        command->callback([this, run = std::move(run)] { run_ = run; });
        return *command;
    }

    static void add_room(CLI::App& command, std::string& room) {
        command.add_option("ROOM", room, "the name of the room")->required();
    }

    void add_page(CLI::App& command) {
        command.add_option("--after", options_.page.after, "begin behind this one");
        command.add_option("--limit", options_.page.limit, "how many at most")
            ->check(CLI::Range(1, 1'000'000))
            ->capture_default_str();
    }

    void add_room_commands(CLI::App& room);
    void add_connection_commands(CLI::App& connections);
    void add_letter_commands(CLI::App& letters);
    void add_config_commands(CLI::App& config);
    void add_errors_command(CLI::App& app);
    void add_bench_command(CLI::App& app);

    Options& options_;
    Run run_;
};

void Commands::add_room_commands(CLI::App& room) {
    Options& o = options_;
    add_page(add(
        room, "ls", "rooms, in memory and in the store", [&o](const auto& client, const auto& out) {
            return room_list(client, out, o.page);
        }));
    add_room(
        add(room,
            "info",
            "all that is known of a room",
            [&o](const auto& client, const auto& out) { return room_info(client, out, o.room); }),
        o.room);
    add_room(
        add(room,
            "where",
            "which node owns a room, and where it stands",
            [&o](const auto& client, const auto& out) { return room_where(client, out, o.room); }),
        o.room);
    CLI::App& members =
        add(room, "members", "who is in a room", [&o](const auto& client, const auto& out) {
            return room_members(client, out, o.room, o.page);
        });
    add_room(members, o.room);
    add_page(members);

    CLI::App& history = add(
        room,
        "history",
        "what was said, newest page first",
        [&o](const auto& client, const auto& out) { return room_history(client, out, o.history); });
    add_room(history, o.history.room);
    history.add_option("--after", o.history.after, "messages behind this seq, oldest first");
    history.add_option("--before", o.history.before, "messages before this seq");
    history.add_option("--limit", o.history.limit, "how many at most")
        ->check(CLI::Range(1, 200))
        ->capture_default_str();

    CLI::App& tail =
        add(room,
            "tail",
            "the latest messages, and what follows",
            [&o](const auto& client, const auto& out) { return room_tail(client, out, o.tail); });
    add_room(tail, o.tail.room);
    tail.add_flag("-f,--follow", o.tail.follow, "go on until Ctrl-C");
    tail.add_option("-n,--messages", o.tail.messages, "how many to begin with")
        ->check(CLI::Range(1, 200))
        ->capture_default_str();

    add_room(
        add(room,
            "reset",
            "end all memberships, so that clients join again, and open the room anew",
            [&o](const auto& client, const auto& out) { return room_reset(client, out, o.room); }),
        o.room);

    CLI::App& send =
        add(room, "send", "say something as some user", [&o](const auto& client, const auto& out) {
            return room_send(client, out, o.send);
        });
    add_room(send, o.send.room);
    send.add_option("CONTENT", o.send.content, "what to say")->required();
    send.add_option("--user", o.send.user, "as whom")->required();
    send.add_option("--client-id", o.send.client_id, "makes a retry of this very send harmless");
}

void Commands::add_connection_commands(CLI::App& connections) {
    Options& o = options_;
    CLI::App& list =
        add(connections, "ls", "who is connected", [&o](const auto& client, const auto& out) {
            return connection_list(client, out, o.page, o.slow);
        });
    add_page(list);
    list.add_flag("--slow", o.slow, "those with the most bytes to read first, 500 at most")
        ->excludes(list.get_option("--after"));
    const auto add_id = [&o](CLI::App& command) {
        command.add_option("ID", o.connection, "the connection, as `ls` names it")->required();
    };
    add_id(
        add(connections,
            "info",
            "all that is known of a connection",
            [&o](const auto& client, const auto& out) {
                return connection_info(client, out, o.connection);
            }));
    add_id(
        add(connections,
            "close",
            "close a connection with 1001; its client comes back",
            [&o](const auto& client, const auto& out) {
                return connection_close(client, out, o.connection);
            }));
}

void Commands::add_letter_commands(CLI::App& letters) {
    Options& o = options_;
    add_page(
        add(letters, "ls", "dead letters, oldest first", [&o](const auto& client, const auto& out) {
            return dead_letter_list(client, out, o.page);
        }));
    CLI::App& replay =
        add(letters,
            "replay",
            "deliver dead letters again; those that are taken go",
            [&o](const auto& client, const auto& out) {
                if (o.letters.empty() && !o.all_letters)
                    return out.fail({ExitCode::usage, "name letters, or say --all"});
                return dead_letter_replay(client, out, o.letters);
            });
    CLI::Option* ids = replay.add_option("ID", o.letters, "which ones, as `ls` names them");
    replay.add_flag("--all", o.all_letters, "every one of them")->excludes(ids);
}

void Commands::add_config_commands(CLI::App& config) {
    Options& o = options_;
    add(config,
        "check",
        "find what is wrong with a configuration; needs no node",
        [&o](const auto&, const auto& out) { return config_check(out, o.config_file); })
        .add_option("FILE", o.config_file, "a TOML file; without one, the environment alone");
    add(config, "show", "what the node runs with, and where each value is from", config_show);
}

void Commands::add_errors_command(CLI::App& app) {
    Options& o = options_;
    add(app,
        "errors",
        "why requests are refused, and what to do; needs no node",
        [&o](const auto&, const auto& out) { return errors(out, o.reason); })
        .add_option("REASON", o.reason, "one reason, such as queue_overflow");
}

// What follows is for chatx-bench, options and the question for help included.
void Commands::add_bench_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("bench", "measure a node of its own; chatxctl bench --help explains");
    command->prefix_command();
    command->set_help_flag();
    command->callback([this, command] {
        run_ = [words = command->remaining()](const auto&, const auto& out) {
            return bench(out, words);
        };
    });
}

void declare(CLI::App& app, Options& options) {
    app.require_subcommand(1);
    app.add_option(
           "--socket", options.socket, "the node's admin socket (environment: CHATXCTL_SOCKET)")
        ->type_name("PATH");
    app.add_option("--server", options.server, "the node, unix:PATH")->type_name("ADDRESS");
    app.add_flag("--json", options.json, "print JSON");
    app.set_version_flag("--version", "chatxctl " + std::string(chatx::node::version));
    app.footer(R"(Tables on a terminal, tab-separated text when piped, JSON with --json.
The node is found by ./chatx-data/admin.sock or the socket of chatxd --dev.

Exit status: 0 ok, 1 failed, 2 usage, 3 no node answers, 4 not allowed,
5 not found, 6 partial or timed out, 8 the check found problems.

Examples:
  chatxctl node info
  chatxctl room ls
  chatxctl room tail -f general
  chatxctl room send general "Back in five minutes" --user ops
  chatxctl room history general --limit 200 --json
  chatxctl room reset general
  chatxctl conn ls --slow --limit 10
  chatxctl conn close 0-17
  chatxctl dead-letter replay --all
  chatxctl config check chatx.toml
  chatxctl errors rate_limited)");
}

std::vector<std::string> sockets_of(const Options& options) {
    if (!options.socket.empty()) return {options.socket};
    if (!options.server.empty()) return {options.server.substr(server_scheme.size())};
    const char* named =
        std::getenv("CHATXCTL_SOCKET");  // NOLINT(concurrency-mt-unsafe): no other thread is there.
    if (named != nullptr && *named != '\0') return {named};
    return default_sockets();
}

/// What is wrong beyond the grammar; empty: nothing.
std::string usage_problem(const Options& options, const std::vector<std::string>& arguments) {
    if (!std::ranges::all_of(arguments, chatx::proto::is_utf8))
        return "the arguments are not UTF-8";
    if (!options.socket.empty() && !options.server.empty())
        return "--socket and --server name the same thing; use one";
    if (!options.server.empty() && !options.server.starts_with(server_scheme)) {
        return "--server " + options.server
               + ": this version reaches a node by its Unix socket only, unix:PATH";
    }
    return {};
}

/// CLI11 tells that a command is missing; what was said in its place it keeps.
std::string unknown_command(const CLI::App& app) {
    const auto rest = app.remaining(true);
    const auto word =
        std::ranges::find_if(rest, [](const std::string& text) { return !text.starts_with('-'); });
    if (word == rest.end()) return {};
    std::vector<std::string> names;
    const auto named = app.get_subcommands();  // Those that were recognized.
    const CLI::App& parent = named.empty() ? app : *named.front();
    for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(command->get_name());
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto near = chatx::proto::nearest(*word, views);
    return "there is no command " + *word
           + (near ? "; did you mean " + std::string(*near) + "?" : std::string());
}

int usage(std::string_view why) {
    std::fputs(("chatxctl: " + shown(why) + "; chatxctl --help explains\n").c_str(), stderr);
    return static_cast<int>(ExitCode::usage);
}

int run(const std::vector<std::string>& arguments) {
    Options options;
    CLI::App app("Asks and steers a chatx node.", "chatxctl");
    declare(app, options);
    const Commands commands(app, options);
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);
        const std::string unknown = unknown_command(app);
        return usage(unknown.empty() ? error.what() : unknown);
    }
    if (const std::string problem = usage_problem(options, arguments); !problem.empty())
        return usage(problem);
    return static_cast<int>(commands.run()(Client(sockets_of(options)), Output(options.json)));
}

}  // namespace

}  // namespace chatx::tools

int main(int argc, char** argv) {
    try {
        return chatx::tools::run(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "chatxctl: %s\n", exception.what());
        return static_cast<int>(chatx::tools::ExitCode::failed);
    }
}
