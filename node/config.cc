#include "node/config.h"

#include "node/config_assignment.h"
#include "node/config_command_line.h"
#include "node/config_file.h"
#include "node/config_keys.h"
#include "node/config_kinds.h"
#include "node/config_rules.h"
#include "node/text.h"

#include <arpa/inet.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace chatx::node {

namespace {

constexpr int status_usage = 2;
constexpr int status_bad_configuration = 8;

/// Whether a container runtime made this variable of a service that is called chatx, or
/// chatx-something.
bool is_service_link(std::string_view name, std::string_view value) {
    return name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos
           || name.find("_PORT_") != std::string_view::npos || value.starts_with("tcp://")
           || value.starts_with("udp://");
}

std::vector<ConfigAssignment> read_environment(std::span<const std::string> environment) {
    std::vector<ConfigAssignment> assignments;
    for (const std::string_view variable : environment) {
        const std::size_t equals = variable.find('=');
        if (!variable.starts_with(environment_prefix) || equals == std::string_view::npos) continue;
        const std::string_view name = variable.substr(0, equals);
        const std::string_view value = variable.substr(equals + 1);
        if (is_service_link(name, value)) continue;

        Origin origin{Origin::Kind::environment, {}};
        append_escaped(origin.where, name);
        assignments.push_back(
            assign_plain(key_of_environment_name(name), std::string(value), std::move(origin)));
    }
    return assignments;
}

/// False when there is a file and its keys are not known.
bool read_config_file(
    const std::string& path,
    const ConfigInput& input,
    std::vector<ConfigAssignment>& assignments,
    ConfigProblems& problems) {
    if (path.empty()) return true;
    const FileText file = input.read_file(path);
    if (file.text) return read_toml(path, *file.text, assignments, problems);
    problems.add("--config " + shown_text(path), file.error);
    return false;
}

std::string check_text(const Config& config) {
    return "The configuration is good.\n" + describe(config);
}

/// The comments and the line of one key.
std::string print_key(const ConfigKey& key, const LoadedConfig& loaded) {
    const auto found = loaded.origins.find(key.name);
    const Origin origin = found == loaded.origins.end() ? Origin() : found->second;
    return "# " + std::string(key.meaning) + "\n# Allowed: " + key.allowed + "\n"
           + std::string(name_in_section(key.name)) + " = " + key.print(loaded.config) + "  # "
           + to_text(origin) + "\n";
}

}  // namespace

std::string to_text(const Endpoint& endpoint) {
    const bool v6 = endpoint.address.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + endpoint.address + "]" : endpoint.address;
    return host + ":" + std::to_string(endpoint.port);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const auto port = read_whole(PlainText{std::string(text.substr(colon + 1))});
    if (!port || *port < 0 || *port > 65'535) return std::nullopt;

    const bool v6 = host.starts_with('[') && host.ends_with(']');
    if (v6) host = host.substr(1, host.size() - 2);
    Endpoint endpoint{std::string(host), static_cast<std::uint16_t>(*port)};
    std::array<unsigned char, 16> bytes{};
    const int family = v6 ? AF_INET6 : AF_INET;
    const bool whole = host.find('\0') == std::string_view::npos;  // inet_pton stops at a NUL.
    if (!whole || inet_pton(family, endpoint.address.c_str(), bytes.data()) != 1)
        return std::nullopt;
    return endpoint;
}

std::string to_text(const Origin& origin) {
    switch (origin.kind) {
        case Origin::Kind::standard:
            break;
        case Origin::Kind::file:
            return "file " + origin.where;
        case Origin::Kind::environment:
            return "environment " + origin.where;
        case Origin::Kind::flag:
            return "flag " + origin.where;
    }
    return "default";
}

std::variant<LoadedConfig, Exit> load_config(const ConfigInput& input) {
    const CommandLine line = read_command_line(input.arguments);
    if (!line.usage_error.empty()) return Exit{status_usage, "chatxd: " + line.usage_error + "\n"};
    if (line.help) return Exit{0, line.help_text};
    if (line.version) return Exit{0, "chatxd " + input.version + "\n"};

    LoadedConfig loaded;
    ConfigProblems problems;
    std::vector<ConfigAssignment> in_file;
    const bool file_known = read_config_file(line.config_path, input, in_file, problems);
    apply(in_file, loaded, problems);
    apply(read_environment(input.environment), loaded, problems);
    apply(line.assignments, loaded, problems);
    complete(loaded, input);
    if (file_known) check_rules(loaded, input, problems);

    if (!problems.empty()) return Exit{status_bad_configuration, problems.text()};
    if (line.print_config) return Exit{0, print_config(loaded)};
    if (line.check) return Exit{0, check_text(loaded.config)};
    return loaded;
}

std::string print_config(const LoadedConfig& loaded) {
    std::string text = "# All keys, the values that are in effect, and where each comes from.\n";
    std::string_view section;
    for (const ConfigKey& key : config_keys()) {
        text += "\n";
        if (section_of(key.name) != section) {
            section = section_of(key.name);
            text += "[" + std::string(section) + "]\n";
        }
        text += print_key(key, loaded);
    }
    return text;
}

std::string config_reference() {
    std::string text =
        "| key | default | allowed | meaning | environment |\n| --- | --- | --- | --- | --- |\n";
    for (const ConfigKey& key : config_keys()) {
        text += "| `" + std::string(key.name) + "` | `" + key.print(Config()) + "` | " + key.allowed
                + " | " + std::string(key.meaning) + " | `" + environment_name(key.name) + "` |\n";
    }
    return text;
}

FileText read_file(const std::string& path, std::size_t size_max) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {std::nullopt, std::generic_category().message(errno)};
    std::string text(size_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return {std::nullopt, std::generic_category().message(errno)};
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > size_max)
        return {std::nullopt, "larger than " + std::to_string(size_max) + " bytes"};
    return {std::move(text), {}};
}

}  // namespace chatx::node
