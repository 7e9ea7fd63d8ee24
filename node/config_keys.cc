#include "node/config_keys.h"

#include "node/config_kinds.h"

#include <algorithm>

namespace chatx::node {

namespace {

constexpr std::int64_t million = 1'000'000;
constexpr std::int64_t mebibyte = std::int64_t{1024} * 1024;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t idle_timeout_min_s =
    10;  // Pinged at half of it, a client has time to answer.
constexpr std::int64_t long_poll_window_max_s = 15;  // Clients give up a request after 20 s.

void add_general_keys(std::vector<ConfigKey>& keys) {
    keys.push_back(text<&Config::name>(
        "name",
        {is_node_name_or_empty, "at most 63 of the characters a-z 0-9 - _ ."},
        "This node's name in logs, metrics and the cluster; empty: the name of the host."));
    keys.push_back(endpoint<&Config::listen>("listen", "Where clients connect."));
    keys.push_back(endpoint_or_none<&Config::metrics_listen>(
        "metrics_listen", "Where /metrics is served; empty: with the clients' port."));
    keys.push_back(text<&Config::admin_socket>(
        "admin_socket",
        {is_socket_path_or_empty, "a path of at most 107 bytes"},
        "The Unix socket that chatxctl talks to; empty: admin.sock in `data`."));
    keys.push_back(list<&Config::allowed_origins>(
        "allowed_origins",
        {is_web_origin,
         "a list of origins as browsers send them: https://host or https://host:port, lower case"},
        "Web sites whose pages may connect; empty: only pages from this very host."));
    keys.push_back(text<&Config::data>(
        "data", {is_path, "the path of a directory"}, "The directory of everything that is kept."));
    keys.push_back(on_or_off<&Config::dev>(
        "dev", "For trying things out: keeps nothing on disk, welcomes everybody, shows a page."));
    keys.push_back(whole<&Config::shards>(
        "shards", {0, 64}, "Event loops that serve clients and rooms; 0: one for each core."));
}

void add_room_keys(std::vector<ConfigKey>& keys) {
    keys.push_back(choice<&Config::cluster_strategy>(
        "cluster_strategy",
        {Choice<ClusterStrategy>{"local", ClusterStrategy::local},
         {"pg", ClusterStrategy::pg},
         {"horde", ClusterStrategy::horde}},
        "How rooms are spread over nodes; local: this node is alone."));
    keys.push_back(choice<&Config::ack>(
        "ack",
        {Choice<AckLevel>{"local", AckLevel::local},
         {"replica", AckLevel::replica},
         {"disk", AckLevel::disk}},
        "Where a message is before its sender is told ok; default: disk with a store, else "
        "local."));
    keys.push_back(whole<&Config::room_idle>(
        "room_idle_s", {1, 30 * day_s}, "Seconds until a room that nobody is in leaves memory."));
    keys.push_back(whole<&Config::message_size_limit>(
        "message_size_limit", {1, mebibyte}, "Most bytes in the content of a message."));
    keys.push_back(whole<&Config::inbound_message_limit>(
        "inbound_message_limit", {1024, 16 * mebibyte}, "Most bytes in one frame from a client."));
    keys.push_back(whole<&Config::room_queue_limit>(
        "room_queue_limit",
        {1, million},
        "Most sends that wait in one room; further ones are refused with queue_overflow."));
    keys.push_back(list<&Config::middlewares>(
        "middlewares",
        {is_middleware_name, "a list of names of the characters a-z 0-9 _"},
        "The checks that every message passes, in this order."));
}

void add_adapter_keys(std::vector<ConfigKey>& keys) {
    keys.push_back(choice<&Config::auth>(
        "auth",
        {Choice<AuthKind>{"allow_all", AuthKind::allow_all}},
        "Who decides what a user may do."));
    keys.push_back(choice<&Config::moderation>(
        "moderation",
        {Choice<ModerationKind>{"none", ModerationKind::none},
         {"word_list", ModerationKind::word_list}},
        "What checks the content of messages."));
    keys.push_back(text<&Config::moderation_words>(
        "moderation_words",
        {is_anything, "the path of a file"},
        "The file of the word list, one word on a line."));
    keys.push_back(choice<&Config::moderation_failure>(
        "moderation_failure",
        {Choice<ModerationFailure>{"closed", ModerationFailure::closed},
         {"open", ModerationFailure::open}},
        "What a message does that moderation cannot check: closed refuses it, open lets it pass."));
    keys.push_back(choice<&Config::persistence>(
        "persistence",
        {Choice<PersistenceKind>{"none", PersistenceKind::none},
         {"sqlite", PersistenceKind::sqlite}},
        "Where history is kept. Default with `dev`: none."));
    keys.push_back(choice<&Config::notifier>(
        "notifier",
        {Choice<NotifierKind>{"none", NotifierKind::none}},
        "Who tells users that are not connected."));
    keys.push_back(whole<&Config::delivery_batch_size>(
        "delivery_batch_size", {1, 10'000}, "Most messages handed to persistence at once."));
    keys.push_back(whole<&Config::delivery_tick>(
        "delivery_tick_ms", {1, 60'000}, "Milliseconds that a message waits for a full batch."));
    keys.push_back(whole<&Config::delivery_max_retries>(
        "delivery_max_retries", {0, 100}, "Further attempts before a batch becomes dead letters."));
    keys.push_back(whole<&Config::delivery_retry_base>(
        "delivery_retry_base_ms",
        {1, 30'000},
        "Milliseconds before the second attempt, doubled for each further one up to 30 s."));
}

void add_rate_and_history_keys(std::vector<ConfigKey>& keys) {
    keys.push_back(whole<&Config::rate_limit, &Config::RateLimit::messages_per_sec>(
        "rate_limit.messages_per_sec",
        {0, million},
        "Messages a second of one user in one room; 0: no limit."));
    keys.push_back(whole<&Config::rate_limit, &Config::RateLimit::burst>(
        "rate_limit.burst", {1, million}, "Messages that may come at once after a pause."));
    keys.push_back(whole<&Config::history_ring, &Config::HistoryRing::messages>(
        "history_ring.messages",
        {1, million},
        "Messages of each room that stay in memory, as far as they fit into 4 MiB."));
}

void add_limit_keys(std::vector<ConfigKey>& keys) {
    using Limits = Config::Limits;
    keys.push_back(whole<&Config::limits, &Limits::rooms>(
        "limits.rooms", {1, 100 * million}, "Most rooms in memory."));
    keys.push_back(whole<&Config::limits, &Limits::members_per_room>(
        "limits.members_per_room", {1, 10 * million}, "Most connections in one room."));
    keys.push_back(whole<&Config::limits, &Limits::joins_per_connection>(
        "limits.joins_per_connection", {1, million}, "Most rooms one connection is in."));
    keys.push_back(whole<&Config::limits, &Limits::connections>(
        "limits.connections", {1, 10 * million}, "Most connections of this node."));
    keys.push_back(whole<&Config::limits, &Limits::connections_per_ip>(
        "limits.connections_per_ip",
        {1, 10 * million},
        "Most connections from one address; this host itself has no such limit."));
    keys.push_back(whole<&Config::limits, &Limits::connections_per_user>(
        "limits.connections_per_user", {1, 10 * million}, "Most connections of one user."));
    keys.push_back(whole<&Config::limits, &Limits::pending_connections>(
        "limits.pending_connections",
        {1, 10 * million},
        "Most connections that have not sent a whole request yet."));
    keys.push_back(whole<&Config::limits, &Limits::pending_connections_per_ip>(
        "limits.pending_connections_per_ip",
        {1, 10 * million},
        "Most of them from one address; this host itself has no such limit."));
    keys.push_back(whole<&Config::limits, &Limits::idle_timeout>(
        "limits.idle_timeout_s",
        {idle_timeout_min_s, day_s},
        "Seconds without a word, heartbeats included, until a connection is closed."));
    keys.push_back(whole<&Config::limits, &Limits::long_poll_window>(
        "limits.long_poll_window_s",
        {1, long_poll_window_max_s},
        "Seconds that a poll waits for something to be said; after 1.5 times as long without one a "
        "client is gone."));
    keys.push_back(whole<&Config::limits, &Limits::outbound_bytes>(
        "limits.outbound_bytes",
        {outbound_bytes_min, 1024 * mebibyte},
        "Most bytes that wait for one slow client."));
    keys.push_back(whole<&Config::limits, &Limits::outbound_age>(
        "limits.outbound_age_s", {1, 3600}, "Seconds that they wait before it is cut off."));
    keys.push_back(choice<&Config::limits, &Limits::slow_consumer>(
        "limits.slow_consumer",
        {Choice<SlowConsumer>{"close", SlowConsumer::close}, {"gap", SlowConsumer::gap}},
        "What becomes of a client with more bytes to read than outbound_bytes: close cuts it off, "
        "gap leaves events of rooms out and tells which; answers may take as much again."));
}

void add_rate_keys(std::vector<ConfigKey>& keys) {
    using Limits = Config::Limits;
    constexpr Bounds rates{0, million};
    constexpr Bounds bursts{1, million};
    keys.push_back(whole<&Config::limits, &Limits::accepts_per_sec>(
        "limits.accepts_per_sec",
        rates,
        "Connections that are taken in each second; further ones wait; 0: no limit."));
    keys.push_back(whole<&Config::limits, &Limits::accepts_burst>(
        "limits.accepts_burst", bursts, "Connections that are taken in at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::accepts_per_sec_per_ip>(
        "limits.accepts_per_sec_per_ip",
        rates,
        "Connections an address may open each second; this host itself has no such limit; 0: no "
        "limit."));
    keys.push_back(whole<&Config::limits, &Limits::accepts_burst_per_ip>(
        "limits.accepts_burst_per_ip", bursts, "Connections it may open at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::frames_per_sec>(
        "limits.frames_per_sec",
        rates,
        "Frames a client may send each second, heartbeats apart; 0: no limit."));
    keys.push_back(whole<&Config::limits, &Limits::frames_burst>(
        "limits.frames_burst", bursts, "Frames a client may send at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::frames_per_sec_per_ip>(
        "limits.frames_per_sec_per_ip",
        rates,
        "The same for all clients of one address; this host itself has no such limit; 0: no "
        "limit."));
    keys.push_back(whole<&Config::limits, &Limits::frames_burst_per_ip>(
        "limits.frames_burst_per_ip", bursts, "Frames they may send at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::joins_per_sec>(
        "limits.joins_per_sec",
        rates,
        "Joins among the frames of a client each second; 0: no limit."));
    keys.push_back(whole<&Config::limits, &Limits::joins_burst>(
        "limits.joins_burst", bursts, "Joins at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::typing_per_sec>(
        "limits.typing_per_sec",
        rates,
        "Typing events of a client that are passed on each second, the rest is dropped; 0: no "
        "limit."));
    keys.push_back(whole<&Config::limits, &Limits::typing_burst>(
        "limits.typing_burst", bursts, "Typing events at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::signals_per_sec>(
        "limits.signals_per_sec",
        rates,
        "Binary events of a client that are passed on each second; 0: no limit."));
    keys.push_back(whole<&Config::limits, &Limits::signals_burst>(
        "limits.signals_burst", bursts, "Binary events at once after a pause."));
    keys.push_back(whole<&Config::limits, &Limits::heartbeats_per_sec>(
        "limits.heartbeats_per_sec",
        rates,
        "Heartbeats, pings and pongs of a client each second; 0: no limit."));
    keys.push_back(whole<&Config::limits, &Limits::heartbeats_burst>(
        "limits.heartbeats_burst", bursts, "Heartbeats at once after a pause."));
}

void add_operation_keys(std::vector<ConfigKey>& keys) {
    keys.push_back(whole<&Config::drain, &Config::Drain::batch>(
        "drain.batch", {1, million}, "Connections closed at once when the node is drained."));
    keys.push_back(whole<&Config::drain, &Config::Drain::interval>(
        "drain.interval_ms", {1, 60'000}, "Milliseconds between two batches."));
    keys.push_back(choice<&Config::log, &Config::LogOutput::level>(
        "log.level",
        {Choice<LogLevel>{"debug", LogLevel::debug},
         {"info", LogLevel::info},
         {"warning", LogLevel::warning},
         {"error", LogLevel::error}},
        "The least important lines that are written."));
    keys.push_back(choice<&Config::log, &Config::LogOutput::format>(
        "log.format",
        {Choice<LogFormat>{"human", LogFormat::human}, {"json", LogFormat::json}},
        "For people, or one JSON object on each line."));
    keys.push_back(whole<&Config::log, &Config::LogOutput::lines_per_second>(
        "log.lines_per_second", {1, million}, "Lines of one kind a second; the rest is counted."));
}

void add_cluster_keys(std::vector<ConfigKey>& keys) {
    keys.push_back(endpoint<&Config::cluster, &Config::Cluster::listen>(
        "cluster.listen", "Where other nodes connect, by UDP and TCP."));
    keys.push_back(text<&Config::cluster, &Config::Cluster::key_file>(
        "cluster.key_file",
        {is_anything, "the path of a file"},
        "The file with the cluster's key; without one, nodes meet on this host only."));
    keys.push_back(list<&Config::cluster, &Config::Cluster::join>(
        "cluster.join",
        {is_seed, "a list of addresses, HOST:PORT"},
        "Nodes to join; a node without any founds a cluster of its own."));
    keys.push_back(whole<&Config::cluster, &Config::Cluster::expect>(
        "cluster.expect", {0, 256}, "Nodes that must be there before a cluster is founded."));
}

std::vector<ConfigKey> make_keys() {
    std::vector<ConfigKey> keys;
    add_general_keys(keys);
    add_room_keys(keys);
    add_adapter_keys(keys);
    add_rate_and_history_keys(keys);
    add_limit_keys(keys);
    add_rate_keys(keys);
    add_operation_keys(keys);
    add_cluster_keys(keys);
    return keys;
}

std::vector<std::string_view> make_key_names() {
    std::vector<std::string_view> names;
    for (const ConfigKey& key : config_keys())
        names.push_back(key.name);
    return names;
}

std::vector<std::string_view> make_section_names() {
    std::vector<std::string_view> names;
    for (const ConfigKey& key : config_keys()) {
        const std::string_view section = section_of(key.name);
        if (!section.empty() && std::ranges::find(names, section) == names.end())
            names.push_back(section);
    }
    return names;
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
    static const std::vector<ConfigKey> keys = make_keys();
    return keys;
}

const std::vector<std::string_view>& config_key_names() {
    static const std::vector<std::string_view> names = make_key_names();
    return names;
}

const std::vector<std::string_view>& config_section_names() {
    static const std::vector<std::string_view> names = make_section_names();
    return names;
}

const ConfigKey* find_config_key(std::string_view name) {
    const auto found = std::ranges::find(config_keys(), name, &ConfigKey::name);
    return found == config_keys().end() ? nullptr : &*found;
}

std::string_view section_of(std::string_view name) {
    const std::size_t dot = name.find('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string_view name_in_section(std::string_view name) {
    return name.substr(name.find('.') + 1);
}

std::string environment_name(std::string_view key) {
    std::string variable(environment_prefix);
    for (const char character : key) {
        if (character == '.') {
            variable += "__";
        } else {
            const bool lower = character >= 'a' && character <= 'z';
            variable += lower ? static_cast<char>(character - 32) : character;
        }
    }
    return variable;
}

std::string key_of_environment_name(std::string_view variable) {
    variable.remove_prefix(environment_prefix.size());
    std::string key;
    while (!variable.empty()) {
        const bool dot = variable.starts_with("__");
        const bool upper = variable[0] >= 'A' && variable[0] <= 'Z';
        key += dot ? '.' : upper ? static_cast<char>(variable[0] + 32) : variable[0];
        variable.remove_prefix(dot ? 2 : 1);
    }
    return key;
}

}  // namespace chatx::node
