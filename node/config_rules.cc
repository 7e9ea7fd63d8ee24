#include "node/config_rules.h"

#include "node/config_kinds.h"
#include "node/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
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

    /// Two keys contradict each other if `broken`; `what` names both. Told where one of them was
    /// set.
    void refuse_pair_if(
        bool broken, std::string_view first, std::string_view second, std::string_view what) {
        if (!broken || !problems_.spare({first, second})) return;
        const bool second_alone = is_set(loaded_, second) && !is_set(loaded_, first);
        problems_.add_for(second_alone ? second : first, loaded_, what);
    }

private:
    const LoadedConfig& loaded_;
    ConfigProblems& problems_;
};

/// `key = 5`
std::string with_value(std::string_view key, const Config& config) {
    return std::string(key) + " = " + find_config_key(key)->print(config);
}

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

// A default that is written down, as `--print-config` does, asks for nothing.
void check_rate_limit(const Config& config, Rules& rules) {
    const Config::RateLimit standard;
    const auto check = [&](std::string_view key, bool changed) {
        rules.refuse_if(
            changed && !names(config, "rate_limit"),
            {key, "middlewares"},
            "nothing applies it; add \"rate_limit\" to middlewares");
    };
    check(
        "rate_limit.messages_per_sec",
        config.rate_limit.messages_per_sec != standard.messages_per_sec);
    check("rate_limit.burst", config.rate_limit.burst != standard.burst);
}

void check_frame_sizes(const Config& config, Rules& rules) {
    constexpr std::string_view content_key = "message_size_limit";
    const std::size_t frame_bytes = frame_bytes_max(config.message_size_limit);
    const auto check = [&](std::string_view key, std::size_t bytes_max) {
        rules.refuse_pair_if(
            frame_bytes > bytes_max,
            content_key,
            key,
            "a frame with " + with_value(content_key, config) + " bytes of content may take "
                + std::to_string(frame_bytes) + ", more than " + with_value(key, config));
    };
    check("inbound_message_limit", config.inbound_message_limit);
    check("limits.outbound_bytes", config.limits.outbound_bytes);
}

void check_counts(const Config& config, Rules& rules) {
    constexpr std::string_view joins_key = "limits.joins_per_connection";
    const Config::Limits& limits = config.limits;
    const auto check_burst = [&](std::uint32_t per_sec, std::string_view key, std::size_t burst) {
        rules.refuse_pair_if(
            per_sec > 0 && limits.joins_per_connection > burst,
            joins_key,
            key,
            "a client that comes back joins " + with_value(joins_key, config)
                + " rooms at once, more than " + with_value(key, config));
    };
    check_burst(limits.frames_per_sec, "limits.frames_burst", limits.frames_burst);
    check_burst(limits.joins_per_sec, "limits.joins_burst", limits.joins_burst);
    rules.refuse_pair_if(
        config.shards > limits.rooms,
        "shards",
        "limits.rooms",
        "each of " + with_value("shards", config) + " event loops holds at least a room, more than "
            + with_value("limits.rooms", config));
}

/// Whether both cannot be listened on. An address of all zeros is every address of its family.
bool collide(const Endpoint& one, const Endpoint& other) {
    if (one.port == 0 || one.port != other.port) return false;
    const auto covers = [](const Endpoint& all, const Endpoint& single) {
        if (all.address == "0.0.0.0") return single.address.find(':') == std::string::npos;
        return all.address == "::" && single.address.find(':') != std::string::npos;
    };
    return one.address == other.address || covers(one, other) || covers(other, one);
}

void check_ports(const Config& config, Rules& rules) {
    rules.refuse_if(
        config.metrics_listen && collide(*config.metrics_listen, config.listen),
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
    check_rate_limit(loaded.config, rules);
    check_frame_sizes(loaded.config, rules);
    check_counts(loaded.config, rules);
    check_ports(loaded.config, rules);
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
