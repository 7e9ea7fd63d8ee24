#include "node/server.h"

#include "tests/node/config_support.h"
#include "tests/node/net/net_node.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/socket_client.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <future>
#include <latch>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chatx::node {

namespace {

using chatx::test::ScratchDirectory;
using chatx::test::SocketClient;
using test::eventually;
using namespace std::chrono_literals;

constexpr std::string_view join = R"(["1","1","room:a","phx_join",{}])";

std::string message(std::string_view content) {
    return R"(["1","2","room:a","new_message",{"content":")" + std::string(content) + R"("}])";
}

/// A server on a free port of loopback, in memory, with the adapters of a program.
class RunningServer {
public:
    RunningServer(const Adapters& adapters, const std::vector<std::string>& settings)
        : server_(configuration(adapters, settings), log_, adapters), problem_(server_.start()) {}

    [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

    /// Serves until the process is told to end; the exit status.
    int run() { return server_.run(); }

    /// What was logged, once nothing runs any more.
    [[nodiscard]] std::string lines() const { return lines_.str(); }

    [[nodiscard]] std::uint16_t port() const {
        REQUIRE_FALSE(problem_);
        const std::string url = server_.url();
        return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    }

    /// The value of a series of `/metrics`, named with its labels.
    [[nodiscard]] std::string series(const std::string& name) const {
        SocketClient client(port());
        REQUIRE(
            client.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        const std::string page = client.read_to_end();
        const std::size_t at = page.find("\n" + name + " ");
        REQUIRE_MESSAGE(at != page.npos, name);
        const std::size_t value = at + name.size() + 2;
        return page.substr(value, page.find('\n', value) - value);
    }

private:
    [[nodiscard]] LoadedConfig configuration(
        const Adapters& adapters, const std::vector<std::string>& settings) const {
        Start start{.arguments = {"--dev", "--listen", "127.0.0.1:0"}};
        const std::string socket = "admin_socket=" + (directory_.path() / "s").string();
        start.arguments.insert(start.arguments.end(), {"--set", "shards=2", "--set", socket});
        for (const std::string& setting : settings)
            start.arguments.insert(start.arguments.end(), {"--set", setting});
        for (const Middleware* middleware : adapters.middlewares)
            start.middlewares.emplace_back(middleware->name());
        return loaded(start);
    }

    ScratchDirectory directory_;
    std::ostringstream lines_;
    Logger log_{{.level = LogLevel::error, .now = monotonic_now, .out = &lines_}};
    Server server_;
    std::optional<std::string> problem_;
};

/// A client in the room.
class Member : public SocketClient {
public:
    Member(std::uint16_t port, std::string_view user) : SocketClient(port) {
        upgrade(user);
        REQUIRE(say(frame(join)));
        hear_until("presence_state");
    }

    /// What is answered to a message.
    std::string answer_to(std::string_view content) {
        REQUIRE(say(frame(message(content))));
        return hear_until("phx_reply");
    }
};

/// Says everything louder, and nothing that is too loud already.
struct Shout final : Middleware {
    [[nodiscard]] std::string_view name() const override { return "shout"; }

    Verdict handle(const Draft& draft) override {
        if (draft.content == "throw") throw std::runtime_error("hoarse");
        if (draft.content.ends_with('!')) return Verdict::reject({Reason::blocked, {}, {}});
        return Verdict::replace(draft.content + "!");
    }
};

/// Refuses strangers, and does not come back to those who wait.
struct Doorman final : Auth {
    Result<Done> authorize(const UserId& user, const RoomId& /*room*/, AuthAction action) override {
        if (user.text() == "waits") hang.wait();
        if (user.text() == "stranger") return Reason::unauthorized;
        if (user.text() == "guest" && action == AuthAction::send) return Reason::read_only;
        return Done{};
    }

    std::latch hang{1};
};

/// Does not come back from what is to hang.
struct HangingModeration final : Moderation {
    Verdict check(const Draft& draft) override {
        if (draft.content != "hang") return Verdict::pass();
        ++hanging;
        hang.wait();
        return Verdict::pass();
    }

    std::atomic<int> hanging = 0;
    std::latch hang{1};
};

/// Lets go of those who hang when the test ends, however it ends.
struct Release {
    std::latch& hang;

    explicit Release(std::latch& latch) : hang(latch) {}

    Release(const Release&) = delete;
    Release& operator=(const Release&) = delete;

    ~Release() { hang.count_down(); }
};

struct Censor final : Moderation {
    Verdict check(const Draft& draft) override {
        if (draft.content == "shout!") return Verdict::reject({Reason::slow_mode, {}, {}});
        return Verdict::pass();
    }
};

bool has_default_effect(int signal) {
    struct sigaction action {};

    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
}

const std::string shout_first = "middlewares=shout,auth,rate_limit,moderation";

}  // namespace

TEST_CASE("a middleware of the program runs where the configuration names it") {
    Shout shout;
    Censor censor;
    const RunningServer server({nullptr, &censor, {&shout}}, {shout_first});
    Member ann(server.port(), "ann");
    REQUIRE(ann.say(SocketClient::frame(message("hello"))));
    CHECK(ann.hear_until("new_message").find(R"("content":"hello!")") != std::string::npos);
    CHECK(ann.hear_until("phx_reply").find(R"("status":"ok")") != std::string::npos);
    CHECK(ann.answer_to("hello!").find(R"("reason":"blocked")") != std::string::npos);
    // What moderation gets to see is what the middleware made of it.
    CHECK(ann.answer_to("shout").find(R"("reason":"slow_mode")") != std::string::npos);
}

TEST_CASE("a middleware that throws costs its message and nothing else, and is counted") {
    Shout shout;
    const RunningServer server({nullptr, nullptr, {&shout}}, {shout_first});
    Member ann(server.port(), "ann");
    CHECK(ann.answer_to("throw").find(R"("reason":"adapter_error")") != std::string::npos);
    CHECK(ann.answer_to("fine").find(R"("status":"ok")") != std::string::npos);
    CHECK(server.series(R"(chatx_adapter_error_total{adapter="middleware"})") == "1");
}

TEST_CASE("a middleware that the configuration does not name is not asked") {
    Shout shout;
    const RunningServer server({nullptr, nullptr, {&shout}}, {});
    Member ann(server.port(), "ann");
    CHECK(ann.answer_to("throw").find(R"("status":"ok")") != std::string::npos);
}

TEST_CASE("an auth adapter decides over joins and messages") {
    Doorman doorman;
    const RunningServer server({&doorman, nullptr, {}}, {});
    SocketClient stranger(server.port());
    stranger.upgrade("stranger");
    REQUIRE(stranger.say(SocketClient::frame(join)));
    CHECK(stranger.hear().find(R"("reason":"unauthorized")") != std::string::npos);

    Member guest(server.port(), "guest");
    CHECK(guest.answer_to("hi").find(R"("reason":"read_only")") != std::string::npos);
    Member ann(server.port(), "ann");
    CHECK(ann.answer_to("hi").find(R"("status":"ok")") != std::string::npos);
}

TEST_CASE("an auth adapter that hangs refuses, and is counted as late") {
    Doorman doorman;
    const RunningServer server({&doorman, nullptr, {}}, {});
    const Release release{doorman.hang};  // The server waits for the calls that run.
    SocketClient client(server.port());
    client.upgrade("waits");
    REQUIRE(client.say(SocketClient::frame(join)));
    CHECK(client.hear().find(R"("reason":"adapter_error")") != std::string::npos);
    CHECK(server.series(R"(chatx_adapter_timeout_total{adapter="auth"})") == "1");
}

TEST_CASE("an adapter that hangs costs what it is asked about, and no answer of another adapter") {
    constexpr int threads = 4;
    Doorman doorman;
    HangingModeration moderation;
    const RunningServer server({&doorman, &moderation, {}}, {});
    std::optional<Release> release(std::in_place, moderation.hang);
    Member ann(server.port(), "ann");
    for (int i = 0; i < threads + 2; ++i)
        REQUIRE(ann.say(SocketClient::frame(message("hang"))));
    REQUIRE(eventually([&] { return moderation.hanging == threads; }));
    Member bob(server.port(), "bob");  // Joins: the auth adapter has answered.
    for (int i = 0; i < threads + 2; ++i) {
        CHECK(ann.hear_until("phx_reply").find(R"("reason":"adapter_error")") != std::string::npos);
    }
    CHECK(server.series(R"(chatx_adapter_timeout_total{adapter="moderation"})") == "6");
    CHECK(server.series(R"(chatx_adapter_timeout_total{adapter="auth"})") == "0");
    release.reset();
    CHECK(bob.answer_to("fine").find(R"("status":"ok")") != std::string::npos);
    // Those that found no thread in time are never made.
    CHECK(eventually([&] {
        return server.series(R"(chatx_adapter_call_dropped_total{adapter="moderation"})") == "2";
    }));
    CHECK(moderation.hanging == threads);
}

TEST_CASE("a node with an adapter that never returns stops in time and names it") {
    static HangingModeration moderation;  // Longer than the thread that the node gives up.
    const Release release{moderation.hang};
    RunningServer server({nullptr, &moderation, {}}, {"drain.interval_ms=1"});
    {
        Member ann(server.port(), "ann");
        REQUIRE(ann.say(SocketClient::frame(message("hang"))));
        REQUIRE(eventually([&] { return moderation.hanging == 1; }));
    }
    const TimePoint told = monotonic_now();
    auto status = std::async(std::launch::async, [&] { return server.run(); });
    REQUIRE(::kill(::getpid(), SIGTERM) == 0);
    // While it waits for the adapter a further signal would end the process at once.
    CHECK(eventually([] { return has_default_effect(SIGTERM) && has_default_effect(SIGINT); }));
    CHECK(status.wait_for(0s) == std::future_status::timeout);
    CHECK(status.get() == Server::adapter_hangs_status);
    CHECK(monotonic_now() - told < 2 * AdapterPool::stop_patience);
    CHECK(
        server.lines().find("an adapter does not return; the node ends without it "
                            "adapter=moderation\n")
        != std::string::npos);
}

TEST_CASE("a client that reads late still hears why it is sent away") {
    RunningServer server(
        {},
        {"drain.interval_ms=1",
         "message_size_limit=300000",
         "inbound_message_limit=2000000",
         "limits.outbound_bytes=50000000",
         "rate_limit.messages_per_sec=0"});
    Member late(server.port(), "late");
    {
        Member ann(server.port(), "ann");
        for (int i = 0; i < 40; ++i)  // More than the kernel keeps for a reader.
            CHECK(ann.answer_to(std::string(300'000, 'x')).find(R"("ok")") != std::string::npos);
    }
    auto status = std::async(std::launch::async, [&] { return server.run(); });
    REQUIRE(::kill(::getpid(), SIGTERM) == 0);
    late.hear_until("close 1012");
    late.close();
    CHECK(status.get() == 0);
}

TEST_CASE("an adapter that decides and is never asked stops the start") {
    Doorman doorman;
    Censor censor;
    CHECK(
        RunningServer({&doorman, nullptr, {}}, {"middlewares=moderation"}).problem()
        == "there is an auth adapter and nothing asks it about messages; add \"auth\" to "
           "middlewares");
    CHECK(
        RunningServer({nullptr, &censor, {}}, {"middlewares=auth"}).problem()
        == "there is a moderation adapter and nothing asks it; add \"moderation\" to middlewares");
}

TEST_CASE("moderation that is configured and not brought stops the start") {
    CHECK(
        RunningServer({}, {"moderation=word_list", "moderation_words=words.txt"}).problem()
        == "moderation is configured and the program brings no such adapter");
}

TEST_CASE("two middlewares of one name stop the start") {
    Shout shout;
    Shout other;
    CHECK(
        RunningServer({nullptr, nullptr, {&shout, &other}}, {}).problem()
        == "two middlewares are named \"shout\"");
}

TEST_CASE("the largest message that the configuration allows gets through, whatever is in it") {
    constexpr std::size_t content_bytes = 300'000;
    const RunningServer server(
        {},
        {"message_size_limit=" + std::to_string(content_bytes),
         "inbound_message_limit=2000000",
         "limits.outbound_bytes=2000000"});
    Member ann(server.port(), "ann");
    std::string content;
    for (std::size_t i = 0; i < content_bytes; ++i)
        content += "\\u0001";
    CHECK(ann.answer_to(content).find(R"("status":"ok")") != std::string::npos);
    CHECK(ann.answer_to(content + "x").find(R"("message_too_large")") != std::string::npos);
}

}  // namespace chatx::node
