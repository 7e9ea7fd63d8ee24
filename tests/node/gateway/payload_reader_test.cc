#include "node/gateway/payload_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

constexpr std::size_t size_max = 10;

proto::json::Value value_of(std::string_view text) {
    proto::json::Parser parser;
    auto parsed = parser.parse(text);
    REQUIRE(std::holds_alternative<proto::json::Value>(parsed));
    return std::get<proto::json::Value>(std::move(parsed));
}

engine::Resume resume_of(std::string_view text) {
    return to_resume(value_of(text));
}

/// The reason a message is refused for; its name, or `taken`.
std::string_view told(std::string_view text) {
    const auto message = to_message(value_of(text), size_max);
    return message ? "taken" : to_text(message.error().reason);
}

std::string range_told(std::string_view text) {
    const auto range = to_range(value_of(text));
    return range ? "taken" : range.error().detail;
}

}  // namespace

TEST_CASE("a join asks for nothing, for a point it saw last, or for a place") {
    CHECK(resume_of("{}").history == 0);
    CHECK_FALSE(resume_of("{}").unknown_point);
    CHECK(resume_of(R"({"last_seen_id":"7"})").last_seen_id == MessageId{7});
    CHECK(resume_of(R"({"last_seen_id":7})").last_seen_id == MessageId{7});
    const auto since = resume_of(R"({"since":{"epoch":"0-1-0","seq":3}})").since;
    REQUIRE(since);
    CHECK(since->epoch == Epoch{0, 1, 0});
    CHECK(since->seq == Seq{3});
    CHECK(resume_of(R"({"history":20})").history == 20);
    CHECK(resume_of(R"({"history":100000})").history == history_page_max);
}

TEST_CASE("of two points an id counts more, and one that cannot be read is a point unknown") {
    const auto both = resume_of(R"({"last_seen_id":"7","since":{"epoch":"0-1-0","seq":3}})");
    CHECK(both.last_seen_id == MessageId{7});
    CHECK_FALSE(both.since);
    CHECK_FALSE(both.unknown_point);
    const auto second = resume_of(R"({"last_seen_id":"x","since":{"epoch":"0-1-0","seq":3}})");
    CHECK(second.since);
    CHECK_FALSE(second.unknown_point);
    for (const std::string_view text :
         {R"({"last_seen_id":"x"})",
          R"({"last_seen_id":-1})",
          R"({"last_seen_id":{}})",
          R"({"since":3})",
          R"({"since":{"epoch":"0-1-0"}})",
          R"({"since":{"epoch":1,"seq":3}})",
          R"({"since":{"epoch":"x","seq":3}})",
          R"({"since":{"epoch":"0-1-0","seq":"3"}})"}) {
        INFO(text);
        CHECK(resume_of(text).unknown_point);
    }
    CHECK_FALSE(resume_of(R"({"last_seen_id":null,"since":null,"history":null})").unknown_point);
}

TEST_CASE("a page of history has places that may be left out and a size between 1 and the most") {
    const auto range = to_range(value_of(R"({"after_id":"7","after":1,"before":9,"limit":5})"));
    REQUIRE(range);
    CHECK(range->after_id == MessageId{7});
    CHECK(range->after == Seq{1});
    CHECK(range->before == Seq{9});
    CHECK(range->limit == 5);
    CHECK(to_range(value_of(R"({"limit":0})"))->limit == 1);
    CHECK(to_range(value_of(R"({"limit":100000})"))->limit == history_page_max);
    CHECK(to_range(value_of(R"({"after":null})"))->after == std::nullopt);
    CHECK(range_told(R"({"after_id":"x"})") == "`after_id` must be a message id");
    CHECK(range_told(R"({"after":"1"})") == "`after` must be a seq");
    CHECK(range_told(R"({"before":-1})") == "`before` must be a seq");
}

TEST_CASE("a message has a content, perhaps an id of the client's and a message it answers") {
    const auto message =
        to_message(value_of(R"({"content":"hi","client_id":"c1","reply_to":"7","more":1})"), 10);
    REQUIRE(message);
    CHECK(message->content == "hi");
    CHECK(message->client_id == "c1");
    CHECK(message->answers == MessageId{7});
    const auto bare =
        to_message(value_of(R"({"content":"hi","client_id":null,"reply_to":null})"), 10);
    REQUIRE(bare);
    CHECK(bare->client_id.empty());
    CHECK_FALSE(bare->answers);
}

TEST_CASE("a message that no room would take is refused with the room's reasons") {
    const std::vector<std::pair<std::string_view, std::string_view>> cases{
        {R"({"content":"1234567890"})", "taken"},
        {R"({"content":"12345678901"})", "message_too_large"},
        {R"({})", "invalid_content"},
        {R"({"content":null})", "invalid_content"},
        {R"({"content":7})", "invalid_content"},
        {R"({"content":"\ud83d"})", "invalid_utf8"},
        {R"({"content":"a","client_id":7})", "invalid_content"},
        {R"({"content":"a","client_id":"\udc00"})", "invalid_utf8"},
        {R"({"content":"a","reply_to":"x"})", "invalid_content"},
    };
    for (const auto& [text, expected] : cases)
        CHECK(std::pair(text, told(text)) == std::pair(text, expected));
}

}  // namespace chatx::node
