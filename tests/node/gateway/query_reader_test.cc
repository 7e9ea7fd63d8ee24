#include "node/gateway/query_reader.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace chatx::node {
namespace {

HttpRequest asking(std::vector<std::pair<std::string, std::string>> query) {
    HttpRequest request;
    request.query = std::move(query);
    return request;
}

constexpr QueryReader::Bounds bounds{.fallback = 50, .least = 1, .most = 200};

TEST_CASE("a query gives the room, numbers within bounds, and texts") {
    const auto request = asking({{"room", "a/b c"}, {"limit", "7"}, {"after", "x"}});
    QueryReader query(request);
    CHECK(query.room() == *RoomId::parse("a/b c"));
    CHECK(query.number("limit", bounds) == 7);
    CHECK(query.text("after") == "x");
    CHECK_FALSE(query.refusal());
}

TEST_CASE("what is missing has its default") {
    const auto request = asking({});
    QueryReader query(request);
    CHECK(query.number("limit", bounds) == 50);
    CHECK_FALSE(query.number("before"));
    CHECK(query.text("after").empty());
    CHECK_FALSE(query.refusal());
}

std::string refused(std::vector<std::pair<std::string, std::string>> wrong) {
    const auto request = asking(std::move(wrong));
    QueryReader query(request);
    query.room();
    query.number("limit", bounds);
    const auto refusal = query.refusal();
    return refusal ? std::string(refusal->reason) + ": " + refusal->message : std::string();
}

TEST_CASE("a number that is none or out of bounds is refused by name") {
    const std::vector<std::string> wrong{
        "", "0", "201", "-1", "+1", " 1", "1 ", "1.0", "0x1", "99999999999999999999"};
    for (const std::string& text : wrong) {
        CAPTURE(text);
        CHECK(refused({{"room", "a"}, {"limit", text}}).starts_with("bad_request: limit must be "));
    }
    CHECK(refused({{"room", "a"}, {"limit", "1"}}).empty());
    CHECK(refused({{"room", "a"}, {"limit", "200"}}).empty());
}

TEST_CASE("a room that is missing or has a bad name is refused") {
    CHECK(refused({}).starts_with("invalid_room_id: "));
    CHECK(refused({{"room", "a\nb"}}).starts_with("invalid_room_id: "));
}

TEST_CASE("a parameter that nobody reads is refused, its name escaped") {
    CHECK(
        refused({{"room", "a"}, {"limi\x1bt", "1"}})
        == "bad_request: There is no parameter \"limi\\u001bt\" here.");
}

TEST_CASE("of several problems the first is told") {
    CHECK(refused({{"room", ""}, {"limit", "0"}, {"x", ""}}).starts_with("invalid_room_id: "));
}

}  // namespace
}  // namespace chatx::node
