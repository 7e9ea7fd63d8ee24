#include <chatx/ids.h>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <array>
#include <chrono>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace chatx {

namespace {

using std::chrono::milliseconds;

constexpr WallTime start_of_2025{milliseconds(1'735'689'600'000)};
constexpr auto number_max = std::numeric_limits<std::uint64_t>::max();

MessageId made_of(std::uint64_t millisecond, std::uint64_t node, std::uint64_t counter) {
    return MessageId{millisecond << 23 | node << 7 | counter};
}

}  // namespace

TEST_CASE("an id of a room or a user is any short text") {
    CHECK(RoomId::parse("general")->text() == "general");
    CHECK(RoomId::parse("a b/c:d")->text() == "a b/c:d");
    CHECK(UserId::parse("\xE2\x82\xAC")->text() == "\xE2\x82\xAC");
    CHECK(RoomId::parse(std::string(250, 'r')).has_value());
    CHECK(UserId::parse(std::string(255, 'u')).has_value());
}

TEST_CASE("an id that is empty, too long or has controls is refused with the reason of its kind") {
    CHECK(RoomId::parse("").error().reason == Reason::invalid_room_id);
    CHECK(UserId::parse("").error().reason == Reason::invalid_user_id);
    CHECK(RoomId::parse(std::string(251, 'r')).error().reason == Reason::invalid_room_id);
    CHECK(UserId::parse(std::string(256, 'u')).error().reason == Reason::invalid_user_id);
    CHECK(RoomId::parse("a\nb").error().reason == Reason::invalid_room_id);
    CHECK(UserId::parse("a\x7F").error().reason == Reason::invalid_user_id);
    CHECK(UserId::parse("\xC2\x85").error().reason == Reason::invalid_user_id);
    CHECK(UserId::parse(std::string_view("a\0b", 3)).error().reason == Reason::invalid_user_id);
}

TEST_CASE("an id that is not UTF-8 is refused as such") {
    CHECK(RoomId::parse("\xFF").error().reason == Reason::invalid_utf8);
    CHECK(UserId::parse("cut\xE2\x82").error().reason == Reason::invalid_utf8);
}

TEST_CASE("a refusal says what is wrong without repeating it") {
    CHECK(
        RoomId::parse(std::string(300, 'r')).error().detail == "it has 300 bytes, 250 are allowed");
    CHECK(RoomId::parse("ab\x01").error().detail == "byte 2 is a control character");
    CHECK(RoomId::parse("").error().detail == "it is empty");
    CHECK(RoomId::parse("\xFF").error().detail == "it is not valid UTF-8");
}

TEST_CASE("the text of a message id is its number, and leads back to it") {
    CHECK(to_text(MessageId{0}) == "0");
    CHECK(to_text(MessageId{number_max}) == "18446744073709551615");
    CHECK(rc::check([](std::uint64_t value) {
        RC_ASSERT(parse_message_id(to_text(MessageId{value})) == MessageId{value});
    }));
}

TEST_CASE("a text that is not a number of 64 bits is no message id") {
    for (const std::string_view text :
         {"",
          " 1",
          "1 ",
          "-1",
          "+1",
          "0x1",
          "1.0",
          "1e3",
          "18446744073709551616",
          "99999999999999999999",
          "000000000000000000001",
          "one"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_message_id(text).has_value());
    }
}

TEST_CASE("the text of an epoch leads back to it") {
    CHECK(to_text(Epoch{}) == "0-0-0");
    CHECK(to_text(Epoch{0xABC, 0x10, 7}) == "abc-10-7");
    CHECK(rc::check([](std::uint32_t lineage, std::uint64_t counter, std::uint16_t node) {
        const Epoch epoch{lineage, counter, node};
        RC_ASSERT(parse_epoch(to_text(epoch)) == epoch);
    }));
    CHECK(parse_epoch("ffffffff-ffffffffffffffff-ffff") == Epoch{0xFFFFFFFF, number_max, 0xFFFF});
}

TEST_CASE("an epoch has one text only") {
    for (const std::string_view text :
         {"",
          "-",
          "--",
          "1",
          "1-2",
          "1-2-3-4",
          "1--2",
          "01-2-3",
          "A-2-3",
          "1-2-3 ",
          " 1-2-3",
          "0x1-2-3",
          "g-2-3",
          "100000000-0-0",
          "0-10000000000000000-0",
          "0-0-10000",
          "-1-2-3"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_epoch(text).has_value());
    }
}

TEST_CASE("epochs are ordered by lineage, then counter, then node") {
    CHECK(Epoch{1, 9, 9} < Epoch{2, 0, 0});
    CHECK(Epoch{1, 1, 9} < Epoch{1, 2, 0});
    CHECK(Epoch{1, 1, 1} < Epoch{1, 1, 2});
}

TEST_CASE("an id is the time, the node and a counter") {
    MessageIdClock clock({.node = 5});
    CHECK(clock.next(start_of_2025 + milliseconds(3)) == made_of(3, 5, 0));
    CHECK(clock.next(start_of_2025 + milliseconds(3)) == made_of(3, 5, 1));
    CHECK(clock.next(start_of_2025 + milliseconds(4)) == made_of(4, 5, 0));
}

TEST_CASE("when a millisecond is used up the clock runs ahead") {
    MessageIdClock clock({.node = 1});
    const auto now = start_of_2025 + milliseconds(10);
    for (std::uint64_t i = 0; i < 128; ++i)
        CHECK(clock.next(now) == made_of(10, 1, i));
    CHECK(clock.next(now) == made_of(11, 1, 0));
    CHECK(clock.next(now + milliseconds(1)) == made_of(11, 1, 1));
    CHECK(clock.next(now + milliseconds(2)) == made_of(12, 1, 0));
}

TEST_CASE("when the wall clock steps back ids go on growing") {
    MessageIdClock clock({});
    const auto before = clock.next(start_of_2025 + milliseconds(1000));
    CHECK(clock.next(start_of_2025) > before);
    CHECK(clock.next(WallTime{}) > before);
    CHECK(clock.next(WallTime::min()) > before);
}

TEST_CASE("a wall clock beyond the years that ids cover still gives growing ids") {
    MessageIdClock clock({});
    auto last = clock.next(WallTime::max());
    for (int i = 0; i < 1000; ++i) {
        const auto id = clock.next(WallTime::max());
        REQUIRE(id > last);
        last = id;
    }
}

TEST_CASE("lanes of one node share a millisecond without meeting") {
    std::set<std::uint64_t> seen;
    for (std::uint16_t lane = 0; lane < 3; ++lane) {
        MessageIdClock clock({.node = 9, .lane = lane, .lanes = 3});
        for (int i = 0; i < 100; ++i)
            CHECK(seen.insert(clock.next(start_of_2025).value).second);
    }
}

TEST_CASE("the most lanes there can be have one id a millisecond each") {
    MessageIdClock clock({.node = 0, .lane = 127, .lanes = 128});
    CHECK(clock.next(start_of_2025) == made_of(0, 0, 127));
    CHECK(clock.next(start_of_2025) == made_of(1, 0, 127));
}

TEST_CASE("an id told from elsewhere is overtaken in the same millisecond where that is possible") {
    const auto now = start_of_2025 + milliseconds(10);
    const auto next_after = [&](MessageId told) {
        MessageIdClock clock({.node = 5, .lane = 1, .lanes = 4});
        clock.raise_above(told);
        return clock.next(now);
    };
    CHECK(next_after(made_of(9, 5, 0)) == made_of(10, 5, 1));
    CHECK(next_after(made_of(20, 4, 127)) == made_of(20, 5, 1));
    CHECK(next_after(made_of(20, 5, 0)) == made_of(20, 5, 1));
    CHECK(next_after(made_of(20, 5, 1)) == made_of(20, 5, 5));
    CHECK(next_after(made_of(20, 5, 6)) == made_of(20, 5, 9));
    CHECK(next_after(made_of(20, 5, 125)) == made_of(21, 5, 1));
    CHECK(next_after(made_of(20, 5, 127)) == made_of(21, 5, 1));
    CHECK(next_after(made_of(20, 6, 0)) == made_of(21, 5, 1));
}

TEST_CASE("an id from the end of time is not followed") {
    MessageIdClock clock({});
    clock.raise_above(MessageId{number_max});
    CHECK(clock.next(start_of_2025 + milliseconds(10)) == made_of(10, 0, 0));
}

TEST_CASE("whatever happens, ids grow, keep their lane and exceed what was told") {
    CHECK(rc::check([](std::vector<std::pair<std::uint8_t, std::uint32_t>> steps) {
        MessageIdClock clock({.node = 7, .lane = 2, .lanes = 5});
        MessageId last;
        for (const auto& [kind, number] : steps) {
            if (kind % 3 == 0) {
                const auto told = made_of(number % 1000, number / 1000 % 16, number % 128);
                clock.raise_above(told);
                last = std::max(last, told);
            } else {
                const auto id = clock.next(start_of_2025 + milliseconds(number % 1000));
                RC_ASSERT(id > last);
                RC_ASSERT(id.value % 128 % 5 == 2U);
                last = id;
            }
        }
    }));
}

}  // namespace chatx
