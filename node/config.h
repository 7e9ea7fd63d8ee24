#pragma once

#include "node/log.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What an operator can set, where it is read from, and what is said when it is wrong.
namespace chatx::node {

/// An IP address and a port.
struct Endpoint {
    std::string address;     // Numeric: IPv4, or IPv6 without brackets.
    std::uint16_t port = 0;  // 0: any that is free.

    bool operator==(const Endpoint&) const = default;
};

/// `127.0.0.1:4000` or `[::1]:4000`, and back. Names are not resolved.
[[nodiscard]] std::string to_text(const Endpoint& endpoint);
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text);

enum class ClusterStrategy : std::uint8_t { local, pg, horde };
enum class AckLevel : std::uint8_t { local, replica, disk };
enum class PersistenceKind : std::uint8_t { none, sqlite };
enum class NotifierKind : std::uint8_t { none };
enum class ModerationKind : std::uint8_t { none, word_list };
enum class ModerationFailure : std::uint8_t { closed, open };
enum class SlowConsumer : std::uint8_t { close, gap };
enum class AuthKind : std::uint8_t { allow_all };

/// Everything that can be set. The values here are the defaults. config_keys.cc says of each what
/// it is and may be; what `load_config` returns keeps those bounds.
struct Config {
    struct RateLimit {
        std::uint32_t messages_per_sec = 10;
        std::uint32_t burst = 20;
        bool operator==(const RateLimit&) const = default;
    };

    struct HistoryRing {
        std::size_t messages = 1024;
        bool operator==(const HistoryRing&) const = default;
    };

    struct Limits {
        std::size_t rooms = 100'000;
        std::size_t members_per_room = 50'000;
        std::size_t joins_per_connection = 100;
        std::size_t connections = 100'000;
        std::size_t connections_per_ip = 256;
        std::size_t connections_per_user = 16;
        std::size_t pending_connections = 1024;
        std::size_t pending_connections_per_ip = 32;
        std::uint32_t accepts_per_sec = 5000;
        std::uint32_t accepts_burst = 1000;
        std::uint32_t accepts_per_sec_per_ip = 50;
        std::uint32_t accepts_burst_per_ip = 100;
        std::uint32_t frames_per_sec = 100;
        std::uint32_t frames_burst = 200;
        std::uint32_t frames_per_sec_per_ip = 1000;
        std::uint32_t frames_burst_per_ip = 2000;
        std::uint32_t joins_per_sec = 50;
        std::uint32_t joins_burst = 200;
        std::uint32_t typing_per_sec = 2;
        std::uint32_t typing_burst = 5;
        std::uint32_t signals_per_sec = 10;
        std::uint32_t signals_burst = 20;
        std::uint32_t heartbeats_per_sec = 10;
        std::uint32_t heartbeats_burst = 50;
        std::chrono::seconds idle_timeout{60};
        std::chrono::seconds long_poll_window{10};
        std::size_t outbound_bytes = std::size_t{1024} * 1024;
        std::chrono::seconds outbound_age{10};
        SlowConsumer slow_consumer = SlowConsumer::close;
        bool operator==(const Limits&) const = default;
    };

    struct Drain {
        std::size_t batch = 1000;
        std::chrono::milliseconds interval{500};
        bool operator==(const Drain&) const = default;
    };

    struct LogOutput {
        LogLevel level = LogLevel::info;
        LogFormat format = LogFormat::human;
        std::uint32_t lines_per_second = 10;
        bool operator==(const LogOutput&) const = default;
    };

    struct Cluster {
        Endpoint listen{"127.0.0.1", 4001};
        std::string key_file;
        std::vector<std::string> join;
        std::size_t expect = 0;
        bool operator==(const Cluster&) const = default;
    };

    std::string name;  // Never empty once loaded.
    Endpoint listen{"127.0.0.1", 4000};
    std::optional<Endpoint> metrics_listen;
    std::string admin_socket;  // Never empty once loaded.
    std::vector<std::string> allowed_origins;
    std::string data = "chatx-data";
    bool dev = false;
    std::uint32_t shards = 0;  // 0: one for each core.

    ClusterStrategy cluster_strategy = ClusterStrategy::local;
    AckLevel ack = AckLevel::disk;
    std::chrono::seconds room_idle{300};

    std::size_t message_size_limit = 4096;
    std::size_t inbound_message_limit = std::size_t{256} * 1024;
    std::size_t room_queue_limit = 2048;
    std::vector<std::string> middlewares{"auth", "rate_limit", "moderation"};

    AuthKind auth = AuthKind::allow_all;
    ModerationKind moderation = ModerationKind::none;
    std::string moderation_words;
    ModerationFailure moderation_failure = ModerationFailure::closed;
    PersistenceKind persistence = PersistenceKind::sqlite;
    NotifierKind notifier = NotifierKind::none;

    std::size_t delivery_batch_size = 100;
    std::chrono::milliseconds delivery_tick{100};
    std::uint32_t delivery_max_retries = 5;
    std::chrono::milliseconds delivery_retry_base{100};

    RateLimit rate_limit;
    HistoryRing history_ring;
    Limits limits;
    Drain drain;
    LogOutput log;
    Cluster cluster;

    bool operator==(const Config&) const = default;
};

/// Where a value comes from; a later kind wins over an earlier one.
struct Origin {
    enum class Kind : std::uint8_t { standard, file, environment, flag };

    Kind kind = Kind::standard;
    std::string where;  // `chatx.toml:12`, `CHATX_NAME` or `--name`; empty with `standard`.

    bool operator==(const Origin&) const = default;
};

/// `default`, `file chatx.toml:12`, `environment CHATX_NAME` or `flag --name`.
[[nodiscard]] std::string to_text(const Origin& origin);

/// A configuration that may run.
struct LoadedConfig {
    Config config;
    /// By key; a key that is not here has its default.
    std::map<std::string, Origin, std::less<>> origins;
};

/// What the program is to say in place of running: on standard output with status 0, on standard
/// error with 2 (usage) and 8 (bad configuration).
struct Exit {
    int status = 0;
    std::string text;  // Whole lines.
};

/// A file's content, or why there is none.
struct FileText {
    std::optional<std::string> text;
    std::string error;
};

/// Largest configuration file, in bytes; the reader of ConfigInput keeps to it.
inline constexpr std::size_t config_file_size_max = std::size_t{1024} * 1024;

/// Most problems that are listed; further ones are counted.
inline constexpr std::size_t config_problems_max = 50;

/// All that `load_config` gets to know of the world.
struct ConfigInput {
    std::span<const std::string> arguments;    // Without the program's name.
    std::span<const std::string> environment;  // `NAME=value`.
    std::function<FileText(const std::string& path)> read_file;
    std::string version;
    std::string host_name;      // The default of `name`.
    std::uint32_t user_id = 0;  // The process runs as; in the path of the admin socket with `dev`.
    std::span<const std::string> middlewares;  // Those that a program adds to the built-in ones.
};

/// Reads flags, environment and file, in this order of precedence, over the defaults; fills in
/// defaults that depend on other keys; checks all of it. Every problem found is one line of the
/// text, up to `config_problems_max`.
///
/// Environment variables that a container runtime makes of a service called chatx
/// (`CHATX_PORT=tcp://...`) are ignored; any other name that begins with `CHATX_` must be a key.
[[nodiscard]] std::variant<LoadedConfig, Exit> load_config(const ConfigInput& input);

/// The whole configuration as TOML, each key with its meaning, its bounds and its origin. Loading
/// the text gives the same Config.
[[nodiscard]] std::string print_config(const LoadedConfig& loaded);

/// All keys as a Markdown table, for the documentation.
[[nodiscard]] std::string config_reference();

/// Reads a file of at most `size_max` bytes from the disk.
[[nodiscard]] FileText read_file(const std::string& path, std::size_t size_max);

}  // namespace chatx::node
