#include "node/config.h"

#include "node/config_keys.h"
#include "tests/node/config_support.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;

Origin origin_of(const LoadedConfig& config, std::string_view key) {
    const auto found = config.origins.find(key);
    return found == config.origins.end() ? Origin() : found->second;
}

}  // namespace

TEST_CASE("without file, environment and flags every key has its default") {
    Config expected;
    expected.name = "box";
    expected.admin_socket = "chatx-data/admin.sock";
    const LoadedConfig config = loaded({});
    CHECK(config.config == expected);
    CHECK(config.origins.empty());
}

TEST_CASE("the defaults are those of the contract") {
    const Config config = loaded({}).config;
    CHECK(to_text(config.listen) == "127.0.0.1:4000");
    CHECK(config.message_size_limit == 4096);
    CHECK(config.inbound_message_limit == 262'144);
    CHECK(config.room_queue_limit == 2048);
    CHECK(config.rate_limit == Config::RateLimit{10, 20});
    CHECK(config.middlewares == std::vector<std::string>{"auth", "rate_limit", "moderation"});
    CHECK(config.delivery_batch_size == 100);
    CHECK(config.delivery_tick == 100ms);
    CHECK(config.delivery_max_retries == 5);
    CHECK(config.delivery_retry_base == 100ms);
    CHECK(config.cluster_strategy == ClusterStrategy::local);
    CHECK(config.persistence == PersistenceKind::sqlite);
    CHECK(config.ack == AckLevel::disk);
    CHECK(config.room_idle == 300s);
}

TEST_CASE("a file sets keys in sections, as inline tables and with dots") {
    const Config config = loaded(with_file(R"(
listen = "[::1]:5000"
rate_limit = { messages_per_sec = 3, burst = 4 }
limits.rooms = 7
middlewares = ["auth", "rate_limit"]
allowed_origins = ["https://chat.example.org", "http://localhost:8080"]
delivery_tick_ms = 1_000
persistence = "none"
[log]
level = "debug"
format = "json"
)"))
                              .config;
    CHECK(config.listen == Endpoint{"::1", 5000});
    CHECK(config.rate_limit == Config::RateLimit{3, 4});
    CHECK(config.limits.rooms == 7);
    CHECK(config.middlewares == std::vector<std::string>{"auth", "rate_limit"});
    CHECK(config.allowed_origins.size() == 2);
    CHECK(config.delivery_tick == 1s);
    CHECK(config.log.level == LogLevel::debug);
    CHECK(config.log.format == LogFormat::json);
}

TEST_CASE("a flag wins over the environment, that over the file, that over the default") {
    Start start = with_file("name = \"file\"\n");
    CHECK(loaded({}).config.name == "box");
    CHECK(loaded(start).config.name == "file");

    start.environment = {"CHATX_NAME=environment"};
    CHECK(loaded(start).config.name == "environment");

    start.arguments.insert(start.arguments.end(), {"--set", "name=set"});
    CHECK(loaded(start).config.name == "set");

    start.arguments.insert(start.arguments.end(), {"--name", "flag"});
    CHECK(loaded(start).config.name == "flag");
}

TEST_CASE("each value remembers where it comes from") {
    Start start = with_file("# The limits\nroom_queue_limit = 5\n[rate_limit]\nburst = 6\n");
    start.environment = {"HOME=/root", "CHATX_LIMITS__ROOMS=7"};
    start.arguments.insert(
        start.arguments.end(), {"--listen", "127.0.0.1:0", "--set", "log.level=error", "--dev"});
    const LoadedConfig config = loaded(start);
    CHECK(to_text(origin_of(config, "room_queue_limit")) == "file chatx.toml:2");
    CHECK(to_text(origin_of(config, "rate_limit.burst")) == "file chatx.toml:4");
    CHECK(to_text(origin_of(config, "limits.rooms")) == "environment CHATX_LIMITS__ROOMS");
    CHECK(to_text(origin_of(config, "listen")) == "flag --listen");
    CHECK(to_text(origin_of(config, "log.level")) == "flag --set");
    CHECK(to_text(origin_of(config, "dev")) == "flag --dev");
    CHECK(to_text(origin_of(config, "name")) == "default");
}

TEST_CASE("every key can be set in the environment and by --set, to the value it has") {
    for (const ConfigKey& key : config_keys()) {
        CAPTURE(key.name);
        std::string value = key.print(Config());
        std::erase_if(value, [](char character) { return character == '"' || character == '['; });
        std::erase(value, ']');
        CHECK(key_of_environment_name(environment_name(key.name)) == key.name);

        const Start environment{.environment = {environment_name(key.name) + "=" + value}};
        CHECK(loaded(environment).config == loaded({}).config);
        CHECK(origin_of(loaded(environment), key.name).kind == Origin::Kind::environment);

        const Start flag{.arguments = {"--set", std::string(key.name) + "=" + value}};
        CHECK(loaded(flag).config == loaded({}).config);
        CHECK(origin_of(loaded(flag), key.name).kind == Origin::Kind::flag);
    }
}

TEST_CASE("two underscores of a variable are the dot of a key") {
    CHECK(environment_name("rate_limit.burst") == "CHATX_RATE_LIMIT__BURST");
    CHECK(key_of_environment_name("CHATX_RATE_LIMIT__BURST") == "rate_limit.burst");
    CHECK(key_of_environment_name("CHATX_ROOM_QUEUE_LIMIT") == "room_queue_limit");
    CHECK(key_of_environment_name("CHATX_") == "");
}

TEST_CASE("a list in the environment has commas, and an empty one nothing") {
    const Start some{.environment = {"CHATX_MIDDLEWARES=auth, moderation"}};
    CHECK(loaded(some).config.middlewares == std::vector<std::string>{"auth", "moderation"});
    const Start none{.environment = {"CHATX_MIDDLEWARES="}};
    CHECK(loaded(none).config.middlewares.empty());
}

TEST_CASE("variables that a container runtime makes of a service are ignored") {
    const Start start{
        .environment = {
            "CHATX_SERVICE_HOST=10.0.0.1",
            "CHATX_SERVICE_PORT=4000",
            "CHATX_SERVICE_PORT_HTTP=4000",
            "CHATX_PORT=tcp://10.0.0.1:4000",
            "CHATX_PORT_4000_TCP_ADDR=10.0.0.1",
            "CHATX_ADMIN_SERVICE_HOST=10.0.0.2"}};
    CHECK(loaded(start).config == loaded({}).config);
}

TEST_CASE("dev keeps everything in memory, and its admin socket where only this user looks") {
    const Config config = loaded({.arguments = {"--dev"}}).config;
    CHECK(config.persistence == PersistenceKind::none);
    CHECK(config.ack == AckLevel::local);
    CHECK(config.admin_socket == "/tmp/chatx-1000/admin.sock");

    const Start session{.arguments = {"--dev"}, .environment = {"XDG_RUNTIME_DIR=/run/user/1000"}};
    CHECK(loaded(session).config.admin_socket == "/run/user/1000/chatx/admin.sock");
}

TEST_CASE("--dev=false takes back what the file says") {
    Start start = with_file("dev = true\n");
    start.arguments.emplace_back("--dev=false");
    CHECK_FALSE(loaded(start).config.dev);
}

TEST_CASE("without a store a message is acknowledged from memory") {
    CHECK(loaded({.arguments = {"--set", "persistence=none"}}).config.ack == AckLevel::local);
}

TEST_CASE("the admin socket is in the data directory unless it is set") {
    CHECK(loaded({.arguments = {"--data", "/srv"}}).config.admin_socket == "/srv/admin.sock");
    const Start own{.arguments = {"--set", "admin_socket=/run/chatx.sock"}};
    CHECK(loaded(own).config.admin_socket == "/run/chatx.sock");
}

TEST_CASE("a host whose name is no node name is called node") {
    CHECK(loaded({.host_name = "Büro"}).config.name == "node");
    CHECK(loaded({.host_name = ""}).config.name == "node");
}

TEST_CASE("numbers are taken at their bounds and refused beyond") {
    const auto set = [](const std::string& value) {
        return Start{.arguments = {"--set", "shards=" + value}};
    };
    CHECK(loaded(set("0")).config.shards == 0);
    CHECK(loaded(set("64")).config.shards == 64);
    for (const char* bad : {"-1", "65", "9223372036854775808", "1.0", "0x1", " 1", "1 ", "+1", ""})
        CHECK(exit_of(set(bad)).status == 8);
}

TEST_CASE("every number is taken at its bounds and refused next to them") {
    std::size_t keys = 0;
    for (const ConfigKey& key : config_keys()) {
        std::int64_t min = 0;
        std::int64_t max = 0;
        const bool number =
            std::sscanf(
                key.allowed.c_str(), "a whole number from %" SCNd64 " to %" SCNd64, &min, &max)
            == 2;
        if (!number) continue;
        CAPTURE(key.name);
        ++keys;
        Config config;
        for (const std::int64_t good : {min, min + 1, max - 1, max}) {
            CHECK(key.set(config, good));
            CHECK(key.print(config) == std::to_string(good));
        }
        CHECK_FALSE(key.set(config, min - 1));
        CHECK_FALSE(key.set(config, max + 1));
        CHECK(key.print(config) == std::to_string(max));
    }
    CHECK(keys > 20);
}

TEST_CASE("endpoints are numeric, with a port") {
    CHECK(parse_endpoint("0.0.0.0:0") == Endpoint{"0.0.0.0", 0});
    CHECK(parse_endpoint("[::]:65535") == Endpoint{"::", 65535});
    CHECK(to_text(Endpoint{"::1", 80}) == "[::1]:80");
    CHECK(to_text(Endpoint{"10.0.0.1", 80}) == "10.0.0.1:80");
    const auto bad = {
        "",
        ":",
        ":4000",
        "4000",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:4000 ",
        "127.1:4000",
        "localhost:4000",
        "::1:4000",
        "[127.0.0.1]:4000",
        "[::1]",
        "[::1]4000",
        "[]:1",
        "[::1:1"};
    for (const char* text : bad) {
        CAPTURE(text);
        CHECK_FALSE(parse_endpoint(text));
    }
    CHECK_FALSE(parse_endpoint(std::string_view("127.0.0.1\0:1", 12)));
}

TEST_CASE("origins of web sites are written as browsers send them") {
    const auto set = [](const std::string& value) {
        return exit_of({.arguments = {"--set", "allowed_origins=" + value}}).status;
    };
    constexpr int it_runs = -1;
    for (const char* good : {"https://a.example", "http://a:8080", "https://[::1]:4000"})
        CHECK(set(good) == it_runs);
    const auto bad = {
        "a.example",
        "*",
        "null",
        "https://",
        "https://a/",
        "https://u@a",
        "https://A.example",
        "ftp://a",
        "https://a?b",
        "https://*.a"};
    for (const char* text : bad) {
        CAPTURE(text);
        CHECK(set(text) == 8);
    }
}

TEST_CASE("middlewares of the program may be named beside the built-in ones") {
    const Start start{.arguments = {"--set", "middlewares=auth,shout"}, .middlewares = {"shout"}};
    CHECK(loaded(start).config.middlewares == std::vector<std::string>{"auth", "shout"});
}

TEST_CASE("what is printed can be loaded again and gives the same") {
    Start start = with_file(R"(
name = "n1"
data = "a \"quoted\" path\\with backslashes"
metrics_listen = "[::1]:9100"
allowed_origins = ["https://a.example", "https://b.example"]
moderation = "word_list"
moderation_words = "bäd\u2028words.txt"
delivery_retry_base_ms = 17
rate_limit.burst = 99
ack = "local"
)");
    const LoadedConfig first = loaded(start);
    const LoadedConfig second = loaded(with_file(print_config(first)));
    CHECK(second.config == first.config);
    CHECK(loaded(with_file(print_config(second))).config == first.config);
    const LoadedConfig dev = loaded({.arguments = {"--dev"}});
    CHECK(loaded(with_file(print_config(dev))).config == dev.config);
}

TEST_CASE("--print-config shows each key with its meaning, bounds, value and origin") {
    Start start = with_file("room_queue_limit = 5\n");
    start.arguments.emplace_back("--print-config");
    const Exit exit = exit_of(start);
    CHECK(exit.status == 0);
    CHECK(exit.text.starts_with(
        "# All keys, the values that are in effect, and where each comes from.\n"
        "\n"
        "# This node's name in logs, metrics and the cluster; empty: the name of the host.\n"
        "# Allowed: at most 63 of the characters a-z 0-9 - _ .\n"
        "name = \"box\"  # default\n"));
    CHECK(
        exit.text.find(
            "\n"
            "# Most sends that wait in one room; further ones are refused with queue_overflow.\n"
            "# Allowed: a whole number from 1 to 1000000\n"
            "room_queue_limit = 5  # file chatx.toml:1\n")
        != std::string::npos);
    CHECK(
        exit.text.find("\n"
                       "[rate_limit]\n"
                       "# Messages a second of one user in one room; 0: no limit.\n"
                       "# Allowed: a whole number from 0 to 1000000\n"
                       "messages_per_sec = 10  # default\n")
        != std::string::npos);
}

TEST_CASE("--check says what the configuration opens and keeps") {
    CHECK(
        exit_of({.arguments = {"--check"}}).text
        == "The configuration is good.\n"
           "clients: 127.0.0.1:4000, this host only; everybody may be any user\n"
           "metrics: with the clients' port\n"
           "admin: chatx-data/admin.sock\n"
           "store: sqlite in chatx-data\n"
           "a sender is told ok when it is on disk\n");
    const Start open{
        .arguments = {
            "--check", "--dev", "--listen", "[::]:4000", "--set", "metrics_listen=[::1]:1"}};
    CHECK(
        exit_of(open).text
        == "The configuration is good.\n"
           "clients: [::]:4000, reachable from other hosts; everybody may be any user\n"
           "metrics: [::1]:1, this host only\n"
           "admin: /tmp/chatx-1000/admin.sock\n"
           "store: none; the past is forgotten\n"
           "a sender is told ok when this process has it, and its end may lose it\n");
    CHECK(exit_of({.arguments = {"--check"}}).status == 0);
}

TEST_CASE("--version and --help win over everything else that is right") {
    const Exit version = exit_of({.arguments = {"--version", "--listen", "nonsense"}});
    CHECK(version.status == 0);
    CHECK(version.text == "chatxd 0.1.0\n");

    const Exit help = exit_of({.arguments = {"--help", "--version"}});
    CHECK(help.status == 0);
    const auto flags = {
        "--config FILE",
        "--dev",
        "--name NAME",
        "--listen ADDRESS:PORT",
        "--data DIRECTORY",
        "--strategy local|pg|horde",
        "--cluster-listen ADDRESS:PORT",
        "--cluster-key FILE",
        "--join HOST:PORT",
        "--expect N",
        "--set KEY=VALUE",
        "--check",
        "--print-config",
        "--version",
        "--help"};
    for (const char* flag : flags) {
        CAPTURE(flag);
        CHECK(help.text.find(flag) != std::string::npos);
    }
}

TEST_CASE("every key has a row in the reference, and no row breaks the table") {
    const std::string reference = config_reference();
    CHECK(
        reference.find(
            "| `rate_limit.burst` | `20` | a whole number from 1 to 1000000 | Messages that may "
            "come at once after a pause. | `CHATX_RATE_LIMIT__BURST` |\n")
        != std::string::npos);
    std::size_t rows = 0;
    for (std::size_t start = 0; start < reference.size(); ++rows) {
        const std::size_t end = reference.find('\n', start);
        const std::string_view row = std::string_view(reference).substr(start, end - start);
        CHECK(std::count(row.begin(), row.end(), '|') == 6);
        start = end + 1;
    }
    CHECK(rows == config_keys().size() + 2);
}

TEST_CASE("a file from the disk is read whole, up to a size") {
    CHECK(read_file("/proc/self/nothing", 10).error == "No such file or directory");
    CHECK(read_file("/proc/self", 10).error == "Is a directory");
    CHECK(read_file("/proc/self/stat", 3).error == "larger than 3 bytes");
    CHECK(read_file("/proc/self/comm", 100).text.has_value());
    CHECK(read_file("/dev/null", 0).text == "");
}

}  // namespace chatx::node
