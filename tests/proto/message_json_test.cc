#include "proto/message_json.h"

#include <doctest/doctest.h>

#include <chrono>

namespace chatx::proto {

namespace {

template <class T>
std::string json_of(const T& value) {
    std::string out;
    append_json(out, value);
    return out;
}

Message hello() {
    return Message{
        .id = MessageId{9007199254740993},  // Not a whole number of a double.
        .room = *RoomId::parse("general"),
        .user = *UserId::parse("ann"),
        .content = "hello",
        .inserted_at = WallTime(std::chrono::milliseconds(1'767'225'600'123)),
        .epoch = Epoch{1, 2, 3},
        .seq = Seq{42},
        .client_id = {},
        .reply_to = {}};
}

}  // namespace

TEST_CASE("a message says where it belongs, and leaves out what the sender left out") {
    CHECK(
        json_of(hello())
        == R"({"id":"9007199254740993","room_id":"general","user_id":"ann","content":"hello",)"
           R"("inserted_at":1767225600123,"seq":42,"epoch":"1-2-3"})");
}

TEST_CASE("a message carries the sender's own id and what it answers") {
    auto message = hello();
    message.client_id = "c-\"1\"";
    message.reply_to = MessageId{7};
    CHECK(json_of(message).ends_with(R"("epoch":"1-2-3","client_id":"c-\"1\"","reply_to":"7"})"));
}

TEST_CASE("a receipt names the place of a message") {
    CHECK(
        json_of(
            Receipt{MessageId{8}, Epoch{1, 0, 0xF}, Seq{3}, WallTime(std::chrono::milliseconds(5))})
        == R"({"id":"8","seq":3,"epoch":"1-0-f","inserted_at":5})");
}

TEST_CASE("a refusal says its reason and, rounded up, when to try again; its detail stays here") {
    CHECK(json_of(Error{Reason::blocked, "word 7", {}}) == R"({"reason":"blocked"})");
    CHECK(
        json_of(Error{Reason::rate_limited, {}, std::chrono::microseconds(1001)})
        == R"({"reason":"rate_limited","retry_after_ms":2})");
}

TEST_CASE("a reason of Phoenix's own is an object like the others") {
    std::string out;
    append_reason_json(out, "unmatched topic");
    CHECK(out == R"({"reason":"unmatched topic"})");
}

}  // namespace chatx::proto
