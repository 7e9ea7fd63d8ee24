#include "node/config_command_line.h"

#include "node/text.h"
#include "proto/nearest.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace chatx::node {

namespace {

/// A flag with a value that stands for a key.
struct KeyFlag {
    std::string_view flag;
    std::string_view key;
    std::string_view value_name;
    std::string_view meaning;
};

constexpr std::array<KeyFlag, 7> key_flags{{
    {"--name", "name", "NAME", "this node's name"},
    {"--listen", "listen", "ADDRESS:PORT", "where clients connect"},
    {"--data", "data", "DIRECTORY", "the directory of everything that is kept"},
    {"--strategy", "cluster_strategy", "local|pg|horde", "how rooms are spread over nodes"},
    {"--cluster-listen", "cluster.listen", "ADDRESS:PORT", "where other nodes connect"},
    {"--cluster-key", "cluster.key_file", "FILE", "the file with the cluster's key"},
    {"--expect", "cluster.expect", "N", "nodes that must be there before a cluster is founded"},
}};

/// Where CLI11 puts what it finds.
struct Values {
    std::array<std::string, key_flags.size()> of_key_flags;
    std::vector<std::string> join;
    std::vector<std::string> set;
    bool dev = false;
};

void declare(CLI::App& app, CommandLine& line, Values& values) {
    app.set_help_flag();
    app.allow_extras();
    app.add_option("--config", line.config_path, "the configuration, a TOML file")
        ->type_name("FILE");
    app.add_flag("--dev", values.dev, "keep nothing on disk, welcome everybody, show a page");
    for (std::size_t i = 0; i < key_flags.size(); ++i) {
        const KeyFlag& flag = key_flags[i];
        app.add_option(std::string(flag.flag), values.of_key_flags[i], std::string(flag.meaning))
            ->type_name(std::string(flag.value_name));
    }
    app.add_option("--join", values.join, "a node to join; may be repeated")
        ->type_name("HOST:PORT")
        ->allow_extra_args(false);
    app.add_option("--set", values.set, "give any key a value; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    app.add_flag("--check", line.check, "check the configuration, say what it exposes, and exit");
    app.add_flag(
        "--print-config", line.print_config, "print all keys and where each is from, and exit");
    app.add_flag("--version", line.version, "print the version and exit");
    app.add_flag("-h,--help", line.help, "print this and exit");
    app.footer(
        "Flags win over the environment (CHATX_RATE_LIMIT__BURST is rate_limit.burst), the "
        "environment over\nthe file, the file over defaults. chatxd --print-config shows every "
        "key.");
}

std::string unexpected(const CLI::App& app) {
    const std::string argument = app.remaining().front();
    if (!argument.starts_with("-")) return "unexpected argument " + shown_text(argument);

    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
        names.push_back("--" + option->get_lnames().front());
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto name =
        proto::nearest(std::string_view(argument).substr(0, argument.find('=')), views);
    const std::string_view meant = name ? *name : std::string_view("--help");
    return "unknown flag " + shown_text(argument)
           + (name ? "; did you mean " + std::string(meant) + "?" : "; chatxd --help lists all");
}

/// A text of CLI11 begins with the flag and a colon; what follows is not for people.
std::string why_refused(const CLI::ParseError& error, std::span<const std::string> arguments) {
    const std::string text = error.what();
    const std::string flag = text.substr(0, text.find(':'));
    const auto is_it = [&](const std::string& argument) {
        return argument == flag || argument.starts_with(flag + "=");
    };
    const auto times = std::ranges::count_if(arguments, is_it);
    if (error.get_name() == "ArgumentMismatch" && times == 1) return flag + ": needs a value";
    if (error.get_name() == "ArgumentMismatch" && times > 1) return flag + ": given more than once";
    std::string escaped;
    append_escaped(escaped, text);
    return escaped;
}

Origin flag_origin(std::string_view flag) {
    return {Origin::Kind::flag, std::string(flag)};
}

/// False when a `--set` is not KEY=VALUE.
bool assign_set(const Values& values, CommandLine& line) {
    for (const std::string& pair : values.set) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            line.usage_error = "--set " + shown_text(pair) + ": must be KEY=VALUE";
            return false;
        }
        line.assignments.push_back(
            assign_plain(pair.substr(0, equals), pair.substr(equals + 1), flag_origin("--set")));
    }
    return true;
}

void assign_flags(const CLI::App& app, Values& values, CommandLine& line) {
    for (std::size_t i = 0; i < key_flags.size(); ++i) {
        const KeyFlag& flag = key_flags[i];
        if (app.count(std::string(flag.flag)) == 0) continue;
        line.assignments.push_back(assign_plain(
            std::string(flag.key), std::move(values.of_key_flags[i]), flag_origin(flag.flag)));
    }
    if (!values.join.empty()) {
        const std::string shown = shown_text(CLI::detail::join(values.join, ","));
        line.assignments.push_back(
            {"cluster.join", std::move(values.join), flag_origin("--join"), shown});
    }
    if (app.count("--dev") > 0)
        line.assignments.push_back({"dev", values.dev, flag_origin("--dev"), ""});
}

}  // namespace

CommandLine read_command_line(std::span<const std::string> arguments) {
    CommandLine line;
    Values values;
    CLI::App app("A clustered chat node.", "chatxd");
    declare(app, line, values);
    line.help_text = app.help();
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
        line.usage_error = why_refused(error, arguments);
        return line;
    }
    if (app.remaining_size() > 0) {
        line.usage_error = unexpected(app);
        return line;
    }
    if (assign_set(values, line)) assign_flags(app, values, line);
    return line;
}

}  // namespace chatx::node
