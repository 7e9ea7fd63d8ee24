#include "node/log.h"

#include "node/log_limiter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{100s};

/// A log into memory, with a clock of its own.
struct Fixture {
    explicit Fixture(
        LogFormat format, std::uint32_t lines_per_second = 10, LogLevel level = LogLevel::debug)
        : log(
            {.level = level,
             .format = format,
             .lines_per_second = lines_per_second,
             .now = [this] { return now; },
             .out = &out}) {}

    /// The lines written since the last call, without the time in front, which is checked here.
    std::vector<std::string> take(std::string_view before_time = "") {
        constexpr std::string_view shape = "0000-00-00T00:00:00.000Z";
        std::vector<std::string> lines;
        std::istringstream in(out.str());
        out.str("");
        for (std::string line; std::getline(in, line);) {
            CHECK(line.starts_with(before_time));
            std::string time = line.substr(before_time.size(), shape.size());
            std::ranges::replace_if(
                time, [](char c) { return c >= '0' && c <= '9'; }, '0');
            CHECK(time == shape);
            lines.push_back(line.substr(before_time.size() + shape.size()));
        }
        return lines;
    }

    std::vector<std::string> take_json() { return take(R"({"time":")"); }

    std::ostringstream out;
    TimePoint now = start;
    Logger log;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a line for people has level, text and fields") {
    Fixture test(LogFormat::human);
    test.log.info("connection closed", {{"connection", 17U}, {"code", 1001}});
    test.log.error("no fields");
    test.log.debug("values", {{"yes", true}, {"ratio", 0.5}, {"text", "plain/text:1"}, {"id", ""}});
    test.log.warning("more", {{"text", std::string("two words")}, {"equals", "a=b"}});
    CHECK(
        test.take()
        == Lines{
            " info    connection closed connection=17 code=1001",
            " error   no fields",
            R"( debug   values yes=true ratio=0.5 text=plain/text:1 id="")",
            R"( warning more text="two words" equals="a=b")"});
}

TEST_CASE("a line in JSON is one object with time, level, message and fields") {
    Fixture test(LogFormat::json);
    test.log.info("connection closed", {{"connection", 17U}, {"code", -1}});
    test.log.warning("values", {{"yes", false}, {"ratio", 2.0}, {"text", "plain"}});
    CHECK(
        test.take_json()
        == Lines{
            R"(","level":"info","message":"connection closed","connection":17,"code":-1})",
            R"(","level":"warning","message":"values","yes":false,"ratio":2,"text":"plain"})"});
}

TEST_CASE("numbers keep their digits, and those that JSON has not are null") {
    Fixture test(LogFormat::json);
    test.log.info(
        "numbers",
        {{"most", std::numeric_limits<std::uint64_t>::max()},
         {"least", std::numeric_limits<std::int64_t>::min()},
         {"nan", std::numeric_limits<double>::quiet_NaN()},
         {"infinite", std::numeric_limits<double>::infinity()}});
    CHECK(
        test.take_json()
        == Lines{R"(","level":"info","message":"numbers","most":18446744073709551615,)"
                 R"("least":-9223372036854775808,"nan":null,"infinite":null})"});
}

TEST_CASE("whatever a field holds, a line stays one line without control characters") {
    for (const LogFormat format : {LogFormat::human, LogFormat::json}) {
        Fixture test(format);
        test.log.info("bad", {{"text", "a\r\nb\x1b[31m\u2028\u202e\xff\""}});
        const Lines lines = format == LogFormat::json ? test.take_json() : test.take();
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].find(R"("a\r\nb\u001b[31m\u2028\u202e\ufffd\"")") != std::string::npos);
    }
}

TEST_CASE("values are clipped at 256 bytes") {
    Fixture test(LogFormat::human);
    test.log.info("fits", {{"text", std::string(256, 'a')}});
    test.log.info("cut", {{"text", std::string(257, 'a')}});
    test.log.info("cut between characters", {{"text", std::string(255, 'a') + "ü"}});
    CHECK(
        test.take()
        == Lines{
            " info    fits text=" + std::string(256, 'a'),
            " info    cut text=" + std::string(256, 'a') + "...",
            " info    cut between characters text=\"" + std::string(255, 'a') + "...\""});
}

TEST_CASE("fields with the name of a secret show nothing of it") {
    Fixture test(LogFormat::human);
    test.log.info(
        "secrets",
        {{"token", "t0"},
         {"password", "p0"},
         {"apikey", "k0"},
         {"authorization", "a0"},
         {"secret", 5},
         {"auth_token", "t1"},
         {"X-Api-Key", "k1"},
         {"token_count", 3}});
    CHECK(
        test.take()
        == Lines{" info    secrets token=[redacted] password=[redacted] apikey=[redacted] "
                 "authorization=[redacted] secret=[redacted] auth_token=[redacted] "
                 "X-Api-Key=[redacted] token_count=3"});

    Fixture json(LogFormat::json);
    json.log.info("secrets", {{"token", "t0"}});
    CHECK(
        json.take_json() == Lines{R"(","level":"info","message":"secrets","token":"[redacted]"})"});
}

TEST_CASE("lines below the level are dropped") {
    Fixture test(LogFormat::human, 10, LogLevel::warning);
    test.log.debug("quiet");
    test.log.info("quiet");
    test.log.warning("loud");
    test.log.error("louder");
    CHECK(test.take() == Lines{" warning loud", " error   louder"});
}

TEST_CASE("a flood of one text is cut off, and then told of once when the text comes again") {
    Fixture test(LogFormat::human, 2);
    for (int i = 0; i < 5; ++i)
        test.log.info("flood", {{"i", i}});
    test.log.info("another text");
    CHECK(
        test.take() == Lines{" info    flood i=0", " info    flood i=1", " info    another text"});

    test.now += 1s;
    test.log.info("flood", {{"i", 5}});
    test.log.info("flood", {{"i", 6}});
    CHECK(
        test.take()
        == Lines{
            " warning lines suppressed text=flood lines=3",
            " info    flood i=5",
            " info    flood i=6"});
    test.now += 1s;
    test.log.info("flood", {{"i", 7}});
    CHECK(test.take() == Lines{" info    flood i=7"});
}

TEST_CASE("a flood that is over is told of by report, and at the end") {
    std::ostringstream out;
    {
        TimePoint now = start;
        Logger log({.lines_per_second = 1, .now = [&now] { return now; }, .out = &out});
        log.info("flood");
        log.info("flood");
        log.report_suppressed();
        CHECK(out.str().find("suppressed") == std::string::npos);  // The second is not over.
        now += 1s;
        log.report_suppressed();
        CHECK(out.str().ends_with("Z warning lines suppressed text=flood lines=1\n"));
        out.str("");
        log.report_suppressed();
        CHECK(out.str().empty());
        log.info("flood");
        log.info("flood");
        log.info("flood");
    }
    CHECK(out.str().ends_with("Z warning lines suppressed text=flood lines=2\n"));
}

TEST_CASE("threads that log at the same time do not mix their lines") {
    Fixture test(LogFormat::human, 1000);
    std::vector<std::thread> threads(4);
    for (std::thread& thread : threads) {
        thread = std::thread([&test] {
            for (int k = 0; k < 500; ++k)
                test.log.info("from a thread", {{"text", "some words"}});
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    const Lines lines = test.take();
    CHECK(lines.size() == 1000);
    CHECK(std::ranges::all_of(lines, [](const std::string& line) {
        return line == R"( info    from a thread text="some words")";
    }));
}

TEST_CASE("the limit counts each text by itself, in each second anew") {
    LogLimiter limiter({.lines_per_second = 2, .texts_max = 4});
    CHECK(limiter.admit("a", start).pass);
    CHECK(limiter.admit("a", start + 999ms).pass);
    CHECK_FALSE(limiter.admit("a", start + 999ms).pass);
    CHECK(limiter.admit("b", start).pass);

    const LogLimiter::Answer next = limiter.admit("a", start + 1s);
    CHECK(next.pass);
    CHECK(next.before.lines == 1);
    CHECK(std::string_view(next.before.text) == "a");
}

TEST_CASE("texts beyond the most that are known share one allowance") {
    LogLimiter limiter({.lines_per_second = 1, .texts_max = 2});
    for (const char* text : {"a", "b"})
        CHECK(limiter.admit(text, start).pass);
    CHECK(limiter.admit("c", start).pass);
    CHECK_FALSE(limiter.admit("d", start).pass);
    CHECK_FALSE(limiter.admit("a", start).pass);

    const auto suppressed = limiter.take_suppressed(start + 1s);
    REQUIRE(suppressed.size() == 2);
    CHECK(std::string_view(suppressed[0].text) == "a");
    CHECK(suppressed[0].lines == 1);
    CHECK(suppressed[1].text == nullptr);
    CHECK(suppressed[1].lines == 1);
}

TEST_CASE("every line passes or is told of, also when threads race") {
    LogLimiter limiter({.lines_per_second = 10, .texts_max = 4});
    std::array<std::uint64_t, 4> accounted{};
    std::vector<std::thread> threads(accounted.size());
    for (std::size_t i = 0; i < threads.size(); ++i) {
        threads[i] = std::thread([&, i] {
            for (int k = 0; k < 10'000; ++k) {
                const auto answer = limiter.admit("text", start + k * 1ms);
                accounted[i] += (answer.pass ? 1 : 0) + answer.before.lines;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    std::uint64_t sum = 0;
    for (const std::uint64_t count : accounted)
        sum += count;
    for (const auto& rest : limiter.take_all_suppressed())
        sum += rest.lines;
    CHECK(sum == 40'000);
}

}  // namespace chatx::node
