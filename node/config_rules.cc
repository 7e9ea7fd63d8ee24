#include "node/config_rules.h"

#include "node/config_kinds.h"
#include "node/text.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace chatx::node {

namespace {

constexpr std::array<std::string_view, 3> built_in_middlewares{"auth", "rate_limit", "moderation"};

bool is_set(const LoadedConfig& loaded, std::string_view key) {
    return loaded.origins.contains(key);
}

bool names(const Config& config, std::string_view middleware) {
    return std::ranges::find(config.middlewares, middleware) != config.middlewares.end();
}

std::string_view value_in_environment(
    std::span<const std::string> environment, std::string_view name) {
    for (const std::string_view variable : environment) {
        if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
            return variable.substr(name.size() + 1);
    }
    return {};
}

std::string default_admin_socket(const Config& config, const ConfigInput& input) {
    if (!config.dev) return config.data + "/admin.sock";
    const std::string runtime(value_in_environment(input.environment, "XDG_RUNTIME_DIR"));
    if (!runtime.empty()) return runtime + "/chatx/admin.sock";
    return "/tmp/chatx-" + std::to_string(input.user_id) + "/admin.sock";
}

/// Collects what is wrong, if the keys that a rule is about are otherwise good.
class Rules {
public:
    Rules(const LoadedConfig& loaded, ConfigProblems& problems)
        : loaded_(loaded), problems_(problems) {}

    /// `what` is wrong with the first of the keys if `broken`.
    void refuse_if(
        bool broken, std::initializer_list<std::string_view> keys, std::string_view what) {
        if (broken && problems_.spare(keys)) problems_.add_for(*keys.begin(), loaded_, what);
    }

private:
    const LoadedConfig& loaded_;
    ConfigProblems& problems_;
};

void check_cluster(const Config& config, Rules& rules) {
    const bool local = config.cluster_strategy == ClusterStrategy::local;
    rules.refuse_if(
        !local,
        {"cluster_strategy"},
        "needs the cluster, which this build does not have yet; use \"local\"");
    rules.refuse_if(
        local && !config.cluster.join.empty(),
        {"cluster.join", "cluster_strategy"},
        "a node with cluster_strategy = \"local\" is alone and joins no other; leave it out");
    rules.refuse_if(
        local && config.cluster.expect > 0,
        {"cluster.expect", "cluster_strategy"},
        "a node with cluster_strategy = \"local\" is alone and waits for no other; leave it out");
    rules.refuse_if(
        local && config.ack == AckLevel::replica,
        {"ack", "cluster_strategy"},
        "a node with cluster_strategy = \"local\" has no replicas; use \"disk\" or \"local\"");
}

void check_store(const Config& config, Rules& rules) {
    rules.refuse_if(
        config.dev && config.persistence != PersistenceKind::none,
        {"persistence", "dev"},
        "dev keeps nothing on disk; leave out one of the two");
    rules.refuse_if(
        !config.dev && config.ack == AckLevel::disk && config.persistence == PersistenceKind::none,
        {"ack", "persistence", "dev"},
        "needs a store; use persistence = \"sqlite\", or ack = \"local\"");
    rules.refuse_if(
        config.dev && config.ack == AckLevel::disk && config.persistence == PersistenceKind::none,
        {"ack", "persistence", "dev"},
        "dev keeps nothing on disk; use \"local\", or leave out dev");
    rules.refuse_if(
        config.admin_socket.size() > socket_path_size_max,
        {"data", "admin_socket"},
        "admin.sock in it has a path of more than 107 bytes; set admin_socket to a shorter path");
}

void check_moderation(const Config& config, Rules& rules) {
    const bool on = config.moderation != ModerationKind::none;
    rules.refuse_if(
        on && config.moderation_words.empty(),
        {"moderation", "moderation_words"},
        "needs the file of the words; set moderation_words");
    rules.refuse_if(
        !on && !config.moderation_words.empty(),
        {"moderation_words", "moderation"},
        "nothing reads it while moderation is \"none\"; set moderation = \"word_list\"");
    rules.refuse_if(
        on && !names(config, "moderation"),
        {"moderation", "middlewares"},
        "nothing asks it; add \"moderation\" to middlewares");
}

void check_middlewares(const Config& config, const ConfigInput& input, Rules& rules) {
    std::vector<std::string_view> known(built_in_middlewares.begin(), built_in_middlewares.end());
    known.insert(known.end(), input.middlewares.begin(), input.middlewares.end());
    std::string all;
    for (const std::string_view name : known)
        all += (all.empty() ? "" : ", ") + std::string(name);

    for (const std::string& name : config.middlewares) {
        rules.refuse_if(
            std::ranges::find(known, name) == known.end(),
            {"middlewares"},
            "there is no " + quoted(name) + "; there are " + all);
        rules.refuse_if(
            std::ranges::count(config.middlewares, name) > 1,
            {"middlewares"},
            quoted(name) + " is there more than once");
    }
}

void check_sizes_and_ports(const Config& config, Rules& rules) {
    rules.refuse_if(
        config.message_size_limit > config.inbound_message_limit,
        {"message_size_limit", "inbound_message_limit"},
        "must be at most inbound_message_limit, which is "
            + std::to_string(config.inbound_message_limit));
    rules.refuse_if(
        config.listen.port != 0 && config.metrics_listen == config.listen,
        {"metrics_listen", "listen"},
        "is where clients connect; leave it out, since /metrics is there too");
}

std::string_view reach_of(const Endpoint& endpoint) {
    if (endpoint.address.starts_with("127.") || endpoint.address == "::1") return "this host only";
    return "reachable from other hosts";
}

std::string promise_of(AckLevel ack) {
    switch (ack) {
        case AckLevel::disk:
            return "it is on disk";
        case AckLevel::replica:
            return "a majority of the room's nodes have it";
        case AckLevel::local:
            break;
    }
    return "this process has it, and its end may lose it";
}

}  // namespace

void complete(LoadedConfig& loaded, const ConfigInput& input) {
    Config& config = loaded.config;
    if (config.name.empty()) config.name = is_node_name(input.host_name) ? input.host_name : "node";
    if (config.admin_socket.empty()) config.admin_socket = default_admin_socket(config, input);
    if (config.dev && !is_set(loaded, "persistence")) config.persistence = PersistenceKind::none;
    if (!is_set(loaded, "ack") && config.persistence == PersistenceKind::none)
        config.ack = AckLevel::local;
}

void check_rules(const LoadedConfig& loaded, const ConfigInput& input, ConfigProblems& problems) {
    Rules rules(loaded, problems);
    check_cluster(loaded.config, rules);
    check_store(loaded.config, rules);
    check_moderation(loaded.config, rules);
    check_middlewares(loaded.config, input, rules);
    check_sizes_and_ports(loaded.config, rules);
}

std::string describe(const Config& config) {
    const std::string clients =
        to_text(config.listen) + ", " + std::string(reach_of(config.listen));
    std::string text = "clients: " + clients + "; everybody may be any user\n";
    if (config.metrics_listen) {
        text += "metrics: " + to_text(*config.metrics_listen) + ", "
                + std::string(reach_of(*config.metrics_listen)) + "\n";
    } else {
        text += "metrics: with the clients' port\n";
    }
    text += "admin: " + config.admin_socket + "\n";
    text += config.persistence == PersistenceKind::none ? "store: none; the past is forgotten\n"
                                                        : "store: sqlite in " + config.data + "\n";
    return text + "a sender is told ok when " + promise_of(config.ack) + "\n";
}

}  // namespace chatx::node
