#include "node/server.h"
#include "node/store/sqlite_connection.h"
#include "tests/node/config_support.h"
#include "tests/node/store/faulty_disk.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/socket_client.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace chatx::node {

namespace {

using chatx::test::ScratchDirectory;
using chatx::test::SocketClient;

/// A server on a free port of loopback that keeps its messages in a directory.
class StoringServer {
public:
    StoringServer() : server_(configuration(), log_) { REQUIRE_FALSE(server_.start()); }

    /// The file that its messages are in.
    [[nodiscard]] std::string file() const { return directory_.path() / "chatx.db"; }

    [[nodiscard]] std::uint16_t port() const {
        const std::string url = server_.url();
        return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    }

    /// The whole answer to a request.
    [[nodiscard]] std::string get(std::string_view path) const {
        SocketClient client(port());
        REQUIRE(client.say(
            "GET " + std::string(path)
            + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        return client.read_to_end();
    }

    /// Asks for readiness until the status is this, and returns the answer.
    [[nodiscard]] std::string wait_ready(std::string_view status) const {
        while (true) {
            std::string answer = get("/readyz");
            if (answer.starts_with("HTTP/1.1 " + std::string(status))) return answer;
        }
    }

    /// How many lines of the log contain this.
    [[nodiscard]] std::size_t lines_with(std::string_view part) const {
        std::istringstream lines(lines_.str());
        std::size_t count = 0;
        for (std::string line; std::getline(lines, line);) {
            if (line.find(part) != line.npos) ++count;
        }
        return count;
    }

private:
    [[nodiscard]] LoadedConfig configuration() const {
        return loaded(
            {.arguments = {
                 "--listen", "127.0.0.1:0", "--data", directory_.path(), "--set", "shards=2"}});
    }

    ScratchDirectory directory_;
    std::ostringstream lines_;
    Logger log_{{.level = LogLevel::warning, .now = monotonic_now, .out = &lines_}};
    Server server_;
};

const std::string message =
    SocketClient::frame(R"(["1","2","room:a","new_message",{"content":"hi"}])");

void join_room(SocketClient& client) {
    client.upgrade("ann");
    REQUIRE(client.say(SocketClient::frame(R"(["1","1","room:a","phx_join",{}])")));
    client.hear_until("presence_state");
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a node whose disk is full is not ready, and goes on when there is space") {
    test::FaultyDisk disk;
    const StoringServer server;
    SocketClient ann(server.port());
    join_room(ann);
    disk.fill(true);
    REQUIRE(ann.say(message));
    CHECK(contains(server.wait_ready("503"), "not ready: the store takes nothing, see the log"));
    disk.fill(false);
    (void)server.wait_ready("200");
    CHECK(contains(server.get("/metrics"), "\nchatx_store_down 0\n"));
    CHECK(contains(ann.hear_until("phx_reply"), R"("reason":"room_unavailable")"));
    REQUIRE(ann.say(message));
    CHECK(contains(ann.hear_until("phx_reply"), R"("status":"ok")"));
    CHECK(server.lines_with("no space left") == 1);
}

TEST_CASE("a node whose disk failed says that it is not ready and why, once") {
    test::FaultyDisk disk;
    const StoringServer server;
    SocketClient ann(server.port());
    join_room(ann);
    REQUIRE(ann.say(message));
    CHECK(contains(ann.hear_until("phx_reply"), R"("status":"ok")"));
    CHECK(contains(server.get("/readyz"), " 200 "));
    CHECK(contains(server.get("/metrics"), "\nchatx_store_down 0\n"));

    disk.fail_syncs(true);
    REQUIRE(ann.say(message));
    CHECK(contains(server.wait_ready("503"), "not ready: the store takes nothing, see the log"));
    CHECK(contains(server.get("/healthz"), " 200 "));
    CHECK(contains(server.get("/metrics"), "\nchatx_store_down 1\n"));
    CHECK(server.lines_with("the store takes nothing; the node is not ready until it does") == 1);
    CHECK(server.lines_with("the disk failed") == 1);
    CHECK(server.lines_with("start the node again") == 1);
}

TEST_CASE("a file that another program holds stops no node, however many rooms are spoken in") {
    constexpr int rooms = 20;
    const auto frame = [](int room, std::string_view event, std::string_view payload) {
        return SocketClient::frame(
            R"(["1","2","room:)" + std::to_string(room) + R"(",")" + std::string(event) + R"(",)"
            + std::string(payload) + "]");
    };
    std::optional<StoringServer> server(std::in_place);
    SocketClient ann(server->port());
    ann.upgrade("ann");
    for (int room = 0; room < rooms; ++room) {
        REQUIRE(ann.say(frame(room, "phx_join", "{}")));
        ann.hear_until("presence_state");
    }
    const auto holder =
        SqliteConnection::open(server->file(), SqliteConnection::Mode::write, Duration::zero());
    REQUIRE(holder);
    REQUIRE((*holder)->run("BEGIN IMMEDIATE"));
    const TimePoint began = monotonic_now();
    for (int room = 0; room < rooms; ++room)
        REQUIRE(ann.say(frame(room, "new_message", R"({"content":"hi"})")));
    (void)server->wait_ready("503");
    CHECK(monotonic_now() - began < std::chrono::seconds(7));

    const TimePoint asked = monotonic_now();
    server.reset();
    CHECK(monotonic_now() - asked < std::chrono::seconds(10));
}

}  // namespace chatx::node
