#include "node/config.h"
#include "tests/node/config_support.h"

#include <doctest/doctest.h>

#include <string>

namespace chatx::node {

namespace {

constexpr std::string_view address_and_port =
    "must be an IP address and a port, such as \"127.0.0.1:4000\" or \"[::1]:4000\"\n";

std::string with_plain(std::string_view start) {
    return std::string(start) + std::string(address_and_port);
}

/// What a file is refused with.
std::string of_file(const std::string& text) {
    const Exit exit = exit_of(with_file(text));
    CHECK(exit.status == 8);
    return exit.text;
}

std::string of_flags(const std::vector<std::string>& arguments, int status = 8) {
    const Exit exit = exit_of({.arguments = arguments});
    CHECK(exit.status == status);
    return exit.text;
}

std::string of_variable(const std::string& variable) {
    const Exit exit = exit_of({.environment = {variable}});
    CHECK(exit.status == 8);
    return exit.text;
}

}  // namespace

TEST_CASE("an unknown key is refused with its line and the key that may have been meant") {
    CHECK(
        of_file("\nroom_queue_limt = 1\n")
        == "chatx.toml:2: unknown key \"room_queue_limt\"; did you mean \"room_queue_limit\"?\n");
    CHECK(
        of_file("[rate_limit]\nbrust = 1\n")
        == "chatx.toml:2: unknown key \"rate_limit.brust\"; did you mean \"rate_limit.burst\"?\n");
    CHECK(
        of_file("burst = 1\n")
        == "chatx.toml:1: unknown key \"burst\"; did you mean \"rate_limit.burst\"?\n");
    CHECK(
        of_file("[limit]\nrooms = 1\n")
        == "chatx.toml:1: unknown key \"limit\"; did you mean \"limits\"?\n");
    CHECK(
        of_file("colour = 1\n")
        == "chatx.toml:1: unknown key \"colour\"; chatxd --print-config lists all keys\n");
    CHECK(
        of_file("[log.file]\npath = 1\n")
        == "chatx.toml:1: unknown key \"log.file\"; chatxd --print-config lists all keys\n");
    CHECK(
        of_file("\"a\\nb\" = 1\n")
        == "chatx.toml:1: unknown key \"a\\nb\"; chatxd --print-config lists all keys\n");
}

TEST_CASE("a section is no key") {
    const std::string_view what =
        "rate_limit is a section, not a key; it has rate_limit.messages_per_sec, "
        "rate_limit.burst\n";
    CHECK(of_file("rate_limit = 5\n") == "chatx.toml:1: " + std::string(what));
    CHECK(of_flags({"--set", "rate_limit=5"}) == "--set: " + std::string(what));
}

TEST_CASE("an unknown variable with the prefix is refused") {
    CHECK(
        of_variable("CHATX_RATE_LIMIT_BURST=1")
        == "environment CHATX_RATE_LIMIT_BURST: no key has this variable; did you mean "
           "CHATX_RATE_LIMIT__BURST?\n");
    CHECK(
        of_variable("CHATX_ROOM_QUEUE_LIMITS=1")
        == "environment CHATX_ROOM_QUEUE_LIMITS: no key has this variable; did you mean "
           "CHATX_ROOM_QUEUE_LIMIT?\n");
    CHECK(
        of_variable("CHATX_=1")
        == "environment CHATX_: no key has this variable; chatxd --print-config lists all keys\n");
    CHECK(
        of_variable("CHATX_\x1b[31m=1")
        == "environment CHATX_\\u001b[31m: no key has this variable; chatxd --print-config lists "
           "all keys\n");
}

TEST_CASE("an unknown key behind --set is refused") {
    CHECK(
        of_flags({"--set", "log.levle=debug"})
        == "--set: unknown key \"log.levle\"; did you mean \"log.level\"?\n");
}

TEST_CASE("a value out of bounds is refused with what is allowed") {
    CHECK(
        of_file("name = \"a\"\nroom_queue_limit = 0\n")
        == "chatx.toml:2: room_queue_limit = 0: must be a whole number from 1 to 1000000\n");
    CHECK(
        of_file("[rate_limit]\nburst = 1_000_001\n")
        == "chatx.toml:2: rate_limit.burst = 1000001: must be a whole number from 1 to 1000000\n");
    CHECK(
        of_variable("CHATX_SHARDS=65")
        == "environment CHATX_SHARDS: shards = 65: must be a whole number from 0 to 64\n");
    CHECK(
        of_flags({"--set", "message_size_limit=-1"})
        == "--set: message_size_limit = -1: must be a whole number from 1 to 1048576\n");
    CHECK(
        of_flags({"--expect", "257"})
        == "--expect: cluster.expect = 257: must be a whole number from 0 to 256\n");
}

TEST_CASE("a value of the wrong type is refused with what is allowed") {
    CHECK(
        of_file("room_queue_limit = \"many\"\n")
        == "chatx.toml:1: room_queue_limit = \"many\": must be a whole number from 1 to 1000000\n");
    CHECK(
        of_file("room_queue_limit = 1.5\n")
        == "chatx.toml:1: room_queue_limit = 1.5: must be a whole number from 1 to 1000000\n");
    CHECK(
        of_file("room_queue_limit = true\n")
        == "chatx.toml:1: room_queue_limit = true: must be a whole number from 1 to 1000000\n");
    CHECK(
        of_file("room_queue_limit = 2025-01-01\n")
        == "chatx.toml:1: room_queue_limit = 2025-01-01: must be a whole number from 1 to "
           "1000000\n");
    CHECK(of_file("dev = \"true\"\n") == "chatx.toml:1: dev = \"true\": must be true or false\n");
    CHECK(of_file("dev = 1\n") == "chatx.toml:1: dev = 1: must be true or false\n");
    CHECK(
        of_variable("CHATX_DEV=yes")
        == "environment CHATX_DEV: dev = \"yes\": must be true or false\n");
    CHECK(of_file("data = 5\n") == "chatx.toml:1: data = 5: must be the path of a directory\n");
    CHECK(
        of_file("middlewares = \"auth\"\n")
        == "chatx.toml:1: middlewares = \"auth\": must be a list of names of the characters a-z "
           "0-9 _, at most 64\n");
    CHECK(
        of_file("middlewares = [\"auth\", 1]\n")
        == "chatx.toml:1: middlewares = [ 'auth', 1 ]: must be a list of names of the characters "
           "a-z 0-9 _, at most 64\n");
    CHECK(of_file("[listen]\nport = 1\n") == with_plain("chatx.toml:1: listen = a section: "));
}

TEST_CASE("a text that is none of the choices is refused with the choices") {
    CHECK(
        of_flags({"--strategy", "raft"})
        == "--strategy: cluster_strategy = \"raft\": must be \"local\", \"pg\" or \"horde\"\n");
    CHECK(
        of_file("persistence = \"mysql\"\n")
        == "chatx.toml:1: persistence = \"mysql\": must be \"none\" or \"sqlite\"\n");
    CHECK(
        of_file("auth = \"token\"\n") == "chatx.toml:1: auth = \"token\": must be \"allow_all\"\n");
    CHECK(
        of_file("log.level = \"INFO\"\n")
        == "chatx.toml:1: log.level = \"INFO\": must be \"debug\", \"info\", \"warning\" or "
           "\"error\"\n");
}

TEST_CASE("a text that does not fit its key is refused") {
    CHECK(of_flags({"--listen", "4000"}) == with_plain("--listen: listen = 4000: "));
    CHECK(
        of_flags({"--listen", "localhost:4000"})
        == with_plain("--listen: listen = \"localhost:4000\": "));
    CHECK(
        of_flags({"--name", "Node One"})
        == "--name: name = \"Node One\": must be at most 63 of the characters a-z 0-9 - _ .\n");
    CHECK(
        of_file("data = \"a\\u0007b\"\n")
        == "chatx.toml:1: data = \"a\\u0007b\": must be the path of a directory\n");
    CHECK(
        of_variable("CHATX_DATA=\xff")
        == "environment CHATX_DATA: data = \"\\ufffd\": must be the path of a directory\n");
    CHECK(of_flags({"--data", ""}) == "--data: data = \"\": must be the path of a directory\n");
    CHECK(
        of_file("admin_socket = \"" + std::string(108, 'a') + "\"\n")
        == "chatx.toml:1: admin_socket = \"" + std::string(60, 'a')
               + "...\": must be a path of at most 107 bytes\n");
    CHECK(
        of_file("[cluster]\njoin = [\"n1\"]\n")
        == "chatx.toml:2: cluster.join = [ 'n1' ]: must be a list of addresses, HOST:PORT, at most "
           "64\n");
}

TEST_CASE("a file that is not TOML is refused with the line") {
    CHECK(of_file("name = \"a\"\nname = \"b\"\n").starts_with("chatx.toml:2: "));
    CHECK(of_file("[rate_limit\n").starts_with("chatx.toml:1: "));
    CHECK(of_file("name = \xff\n").starts_with("chatx.toml:1: "));
    CHECK(of_file(std::string(10'000, '[')).starts_with("chatx.toml:1: "));
    for (const char* bad : {"name = ", "=", "name", "name = \"a", "\x01", "a.b = 1\na = 2"}) {
        const std::string text = of_file(bad);
        CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    }
}

TEST_CASE("a file that cannot be read is refused") {
    CHECK(
        of_flags({"--config", "other.toml"})
        == "--config \"other.toml\": No such file or directory\n");
}

TEST_CASE("what needs a cluster is refused until there is one") {
    for (const std::string strategy : {"pg", "horde"}) {
        CHECK(
            of_flags({"--strategy", strategy})
            == "--strategy: cluster_strategy = \"" + strategy
                   + "\": needs the cluster, which this build does not have yet; use \"local\"\n");
    }
}

TEST_CASE("a node that is alone joins nobody, waits for nobody and has no replicas") {
    CHECK(
        of_flags({"--join", "10.0.0.1:4001", "--join", "10.0.0.2:4001"})
        == "--join: cluster.join = [\"10.0.0.1:4001\", \"10.0.0.2:4001\"]: a node with "
           "cluster_strategy = \"local\" is alone and joins no other; leave it out\n");
    CHECK(
        of_flags({"--expect", "3"})
        == "--expect: cluster.expect = 3: a node with cluster_strategy = \"local\" is alone and "
           "waits for no other; leave it out\n");
    CHECK(
        of_file("ack = \"replica\"\n")
        == "chatx.toml:1: ack = \"replica\": a node with cluster_strategy = \"local\" has no "
           "replicas; use \"disk\" or \"local\"\n");
}

TEST_CASE("an acknowledgement from the disk needs a store") {
    CHECK(
        of_file("ack = \"disk\"\npersistence = \"none\"\n")
        == "chatx.toml:1: ack = \"disk\": needs a store; use persistence = \"sqlite\", or ack = "
           "\"local\"\n");
    CHECK(
        of_flags({"--dev", "--set", "ack=disk"})
        == "--set: ack = \"disk\": dev keeps nothing on disk; use \"local\", or leave out dev\n");
    CHECK(
        of_flags({"--dev", "--set", "persistence=sqlite"})
        == "--set: persistence = \"sqlite\": dev keeps nothing on disk; leave out one of the "
           "two\n");
}

TEST_CASE("a moderation that would do nothing is refused") {
    CHECK(
        of_file("moderation = \"word_list\"\n")
        == "chatx.toml:1: moderation = \"word_list\": needs the file of the words; set "
           "moderation_words\n");
    CHECK(
        of_file("moderation_words = \"w.txt\"\n")
        == "chatx.toml:1: moderation_words = \"w.txt\": nothing reads it while moderation is "
           "\"none\"; set moderation = \"word_list\"\n");
    CHECK(
        of_file("moderation = \"word_list\"\nmoderation_words = \"w\"\nmiddlewares = [\"auth\"]\n")
        == "chatx.toml:1: moderation = \"word_list\": nothing asks it; add \"moderation\" to "
           "middlewares\n");
}

TEST_CASE("middlewares exist, and each once") {
    CHECK(
        of_file("middlewares = [\"auth\", \"spam\"]\n")
        == "chatx.toml:1: middlewares = [\"auth\", \"spam\"]: there is no \"spam\"; there are "
           "auth, rate_limit, moderation\n");
    CHECK(
        of_file("middlewares = [\"auth\", \"auth\"]\n")
        == "chatx.toml:1: middlewares = [\"auth\", \"auth\"]: \"auth\" is there more than once\n");
}

TEST_CASE("the largest message fits in a frame of a client and waits for a slow one") {
    CHECK(
        of_file("message_size_limit = 50000\n")
        == "chatx.toml:1: message_size_limit = 50000: a frame with message_size_limit = 50000 "
           "bytes of content may take 304096, more than inbound_message_limit = 262144\n");
    CHECK(
        of_file("inbound_message_limit = 20000\n")
        == "chatx.toml:1: inbound_message_limit = 20000: a frame with message_size_limit = 4096 "
           "bytes of content may take 28672, more than inbound_message_limit = 20000\n");
    CHECK(
        of_file("message_size_limit = 200000\ninbound_message_limit = 2000000\n")
        == "chatx.toml:1: message_size_limit = 200000: a frame with message_size_limit = 200000 "
           "bytes of content may take 1204096, more than limits.outbound_bytes = 1048576\n");
    CHECK(exit_of(with_file("inbound_message_limit = 28671\n")).status == 8);
    CHECK(exit_of(with_file("inbound_message_limit = 28672\n")).text == "it runs");
    CHECK(
        exit_of(with_file("message_size_limit = 1_048_576\ninbound_message_limit = 16_777_216\n"
                          "limits.outbound_bytes = 6_295_552\n"))
            .text
        == "it runs");
}

TEST_CASE("a slow client has room for a page of history") {
    CHECK(
        of_file("limits.outbound_bytes = 524287\n")
        == "chatx.toml:1: limits.outbound_bytes = 524287: must be a whole number from 524288 to "
           "1073741824\n");
    CHECK(exit_of(with_file("limits.outbound_bytes = 524288\n")).text == "it runs");
}

TEST_CASE("a silent client has time to answer a ping") {
    CHECK(
        of_file("limits.idle_timeout_s = 9\n")
        == "chatx.toml:1: limits.idle_timeout_s = 9: must be a whole number from 10 to 86400\n");
    CHECK(exit_of(with_file("limits.idle_timeout_s = 10\n")).text == "it runs");
}

TEST_CASE("a client that comes back may join its rooms at once") {
    CHECK(
        of_file("limits.joins_per_connection = 201\n")
        == "chatx.toml:1: limits.joins_per_connection = 201: a client that comes back joins "
           "limits.joins_per_connection = 201 rooms at once, more than limits.frames_burst = "
           "200\n");
    CHECK(
        of_file("limits.frames_burst = 99\n")
        == "chatx.toml:1: limits.frames_burst = 99: a client that comes back joins "
           "limits.joins_per_connection = 100 rooms at once, more than limits.frames_burst = 99\n");
    CHECK(
        of_file("limits.joins_burst = 99\n")
        == "chatx.toml:1: limits.joins_burst = 99: a client that comes back joins "
           "limits.joins_per_connection = 100 rooms at once, more than limits.joins_burst = 99\n");
    CHECK(
        exit_of(with_file("limits.frames_burst = 1\nlimits.frames_per_sec = 0\n"
                          "limits.joins_burst = 1\nlimits.joins_per_sec = 0\n"))
            .text
        == "it runs");
}

TEST_CASE("each event loop may hold a room") {
    CHECK(
        of_file("shards = 8\nlimits.rooms = 7\n")
        == "chatx.toml:1: shards = 8: each of shards = 8 event loops holds at least a room, more "
           "than limits.rooms = 7\n");
    CHECK(exit_of(with_file("shards = 8\nlimits.rooms = 8\n")).text == "it runs");
}

TEST_CASE("a rate limit that nothing applies is refused") {
    CHECK(
        of_file("middlewares = [\"auth\"]\nrate_limit.burst = 5\n")
        == "chatx.toml:2: rate_limit.burst = 5: nothing applies it; add \"rate_limit\" to "
           "middlewares\n");
    CHECK(
        of_file("middlewares = []\nrate_limit.messages_per_sec = 5\n")
        == "chatx.toml:2: rate_limit.messages_per_sec = 5: nothing applies it; add "
           "\"rate_limit\" to middlewares\n");
    CHECK(exit_of(with_file("middlewares = []\nrate_limit.burst = 20\n")).text == "it runs");
}

TEST_CASE("ports and paths fit each other") {
    const std::string_view where_clients_connect =
        "is where clients connect; leave it out, since /metrics is there too\n";
    CHECK(
        of_file("metrics_listen = \"127.0.0.1:4000\"\n")
        == "chatx.toml:1: metrics_listen = \"127.0.0.1:4000\": "
               + std::string(where_clients_connect));
    CHECK(
        of_file("listen = \"0.0.0.0:4000\"\nmetrics_listen = \"127.0.0.1:4000\"\n")
        == "chatx.toml:2: metrics_listen = \"127.0.0.1:4000\": "
               + std::string(where_clients_connect));
    CHECK(
        of_file("listen = \"[::1]:4000\"\nmetrics_listen = \"[::]:4000\"\n")
        == "chatx.toml:2: metrics_listen = \"[::]:4000\": " + std::string(where_clients_connect));
    CHECK(
        exit_of(with_file("listen = \"[::1]:4000\"\nmetrics_listen = \"127.0.0.1:4000\"\n")).text
        == "it runs");
    CHECK(
        of_flags({"--data", std::string(97, 'd')})
        == "--data: data = \"" + std::string(59, 'd')
            + "...: admin.sock in it has a path of more than 107 bytes; set admin_socket to a "
              "shorter path\n");
    CHECK(exit_of({.arguments = {"--data", std::string(96, 'd')}}).text == "it runs");
}

TEST_CASE("all problems are told, first the file's in order of line, then environment and flags") {
    Start start = with_file("room_queue_limit = 0\nzebra = 1\napple = 2\nack = \"replica\"\n");
    start.environment = {"CHATX_SHARDS=x"};
    start.arguments.insert(start.arguments.end(), {"--listen", "x"});
    CHECK(
        exit_of(start).text
        == with_plain(
               "chatx.toml:1: room_queue_limit = 0: must be a whole number from 1 to 1000000\n"
               "chatx.toml:2: unknown key \"zebra\"; chatxd --print-config lists all keys\n"
               "chatx.toml:3: unknown key \"apple\"; chatxd --print-config lists all keys\n"
               "environment CHATX_SHARDS: shards = \"x\": must be a whole number from 0 to 64\n"
               "--listen: listen = \"x\": ")
            + "chatx.toml:4: ack = \"replica\": a node with cluster_strategy = \"local\" has no "
              "replicas; use \"disk\" or \"local\"\n");
}

TEST_CASE("rules between keys are silent about keys that are wrong by themselves") {
    CHECK(
        of_file("moderation = \"word_list\"\nmoderation_words = 5\n")
        == "chatx.toml:2: moderation_words = 5: must be the path of a file\n");
}

TEST_CASE("a flood of problems is cut off and counted") {
    std::string file;
    for (int i = 0; i < 60; ++i)
        file += "zebra" + std::to_string(i) + " = 1\n";
    const std::string text = of_file(file);
    CHECK(std::count(text.begin(), text.end(), '\n') == 51);
    CHECK(text.ends_with("\nand 10 more\n"));
}

TEST_CASE("arguments that make no sense are a usage error") {
    CHECK(
        of_flags({"--lisen", "127.0.0.1:1"}, 2)
        == "chatxd: unknown flag \"--lisen\"; did you mean --listen?\n");
    CHECK(
        of_flags({"--colour"}, 2)
        == "chatxd: unknown flag \"--colour\"; chatxd --help lists all\n");
    CHECK(of_flags({"start"}, 2) == "chatxd: unexpected argument \"start\"\n");
    CHECK(of_flags({"--join", "a:1", "b:1"}, 2) == "chatxd: unexpected argument \"b:1\"\n");
    CHECK(of_flags({"--name"}, 2) == "chatxd: --name: needs a value\n");
    CHECK(of_flags({"--name", "a", "--name=b"}, 2) == "chatxd: --name: given more than once\n");
    CHECK(of_flags({"--set", "dev"}, 2) == "chatxd: --set \"dev\": must be KEY=VALUE\n");
    CHECK(of_flags({"--set", "=1"}, 2) == "chatxd: --set \"=1\": must be KEY=VALUE\n");
}

}  // namespace chatx::node
