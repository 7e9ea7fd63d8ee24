#include "node/gateway/poll_body.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

using Messages = std::vector<PollMessage>;

constexpr std::string_view lines = "application/x-ndjson";

Messages messages_of(std::string_view content_type, std::string_view body) {
    const auto result = read_poll_body(content_type, body);
    REQUIRE(std::holds_alternative<Messages>(result));
    return std::get<Messages>(result);
}

bool refused(std::string_view body) {
    return std::holds_alternative<PollBodyRefused>(read_poll_body(lines, body));
}

}  // namespace

TEST_CASE("each line of a body of lines is a message") {
    const Messages both{{"[1]", false}, {"[2]", false}};
    CHECK(messages_of(lines, "[1]\n[2]") == both);
    CHECK(messages_of(lines, "[1]\r\n[2]\r\n") == both);
    CHECK(messages_of(lines, "\n[1]\n\n[2]\n\n") == both);
    CHECK(messages_of("Application/X-NDJSON ; charset=utf-8", "[1]\n[2]") == both);
    CHECK(messages_of(lines, "").empty());
}

TEST_CASE("a line that is no array is the base64 of a binary message") {
    CHECK(
        messages_of(lines, "AAEC\n[1]\nAP8=\n")
        == Messages{
            {std::string("\0\1\2", 3), true}, {"[1]", false}, {std::string("\0\xff", 2), true}});
}

TEST_CASE("a line that is neither is refused") {
    CHECK(refused("{}"));
    CHECK(refused("AP8"));
    CHECK(refused("AP8=="));
    CHECK(refused("[1]\n A=="));
    CHECK(refused("AA EC"));
    CHECK(refused("AP8=AP8="));
}

TEST_CASE("any other body is one message") {
    const std::string body = R"({"topic":"a"})"
                             "\n[2]";
    CHECK(messages_of("application/json", body) == Messages{{body, false}});
    CHECK(messages_of("", body) == Messages{{body, false}});
    CHECK(messages_of("application/x-ndjsonx", body) == Messages{{body, false}});
    CHECK(messages_of("text/plain", "") == Messages{{"", false}});
}

TEST_CASE("what stands behind the hundredth message is dropped") {
    std::string body;
    for (int i = 0; i < 150; ++i)
        body += "[" + std::to_string(i) + "]\n";
    const Messages messages = messages_of(lines, body);
    REQUIRE(messages.size() == poll_frames_max);
    CHECK(messages.back().bytes == "[99]");
}

}  // namespace chatx::node
