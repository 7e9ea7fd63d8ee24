#include "engine/catch_up.h"

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>

#include <variant>
#include <vector>

namespace chatx::engine {

namespace {

constexpr Epoch second_reign = {1, 2, 0};

History history_at(std::uint64_t head, std::uint64_t kept, bool archive) {
    return History(
        {},
        {second_reign,
         Seq{head},
         MessageId{head * 100},
         {{first_reign, Seq{1}}},
         messages_at(head + 1 - kept, head),
         archive});
}

Resume since(std::uint64_t seq, Epoch epoch = first_reign) {
    return {{}, Resume::Point{epoch, Seq{seq}}, 0, false};
}

Resume last_seen(std::uint64_t seq, std::uint32_t history = 0) {
    return {MessageId{seq * 100}, {}, history, false};
}

Resume latest(std::uint32_t history) {
    return {{}, {}, history, false};
}

CatchUp::Found found_in(const CatchUp::Next& next) {
    REQUIRE(std::holds_alternative<CatchUp::Found>(next));
    return std::get<CatchUp::Found>(next);
}

HistoryRange asked_in(const CatchUp::Next& next) {
    REQUIRE(std::holds_alternative<HistoryRange>(next));
    return std::get<HistoryRange>(next);
}

CatchUp::Found found(const History& history, const Resume& resume) {
    return found_in(CatchUp(resume).begin(history));
}

/// What is found when the archive holds `stored`.
CatchUp::Found found_with(
    const History& history, const Resume& resume, const std::vector<MessagePtr>& stored) {
    CatchUp catch_up(resume);
    CatchUp::Next next = catch_up.begin(history);
    while (const auto* asked = std::get_if<HistoryRange>(&next)) {
        next = catch_up.on_loaded(history, page_of(stored, *asked));
    }
    return std::get<CatchUp::Found>(next);
}

}  // namespace

TEST_CASE("who names no point gets the latest messages it asks for, not recovered") {
    const History history = history_at(300, 300, false);
    CHECK(found(history, latest(0)).messages.empty());
    CHECK(seqs_of(found(history, latest(3)).messages) == numbers(298, 300));
    CHECK(found(history, latest(200)).messages.size() == 200);
    CHECK(found(history, latest(201)).messages.size() == 200);
    CHECK_FALSE(found(history, latest(3)).recovered);
    CHECK_FALSE(found(history, latest(3)).more);
}

TEST_CASE("who names a point on the line gets everything since, recovered") {
    const History history = history_at(10, 10, false);
    for (const auto& resume : {since(7), last_seen(7)}) {
        const auto caught = found(history, resume);
        CHECK(seqs_of(caught.messages) == numbers(8, 10));
        CHECK(caught.recovered);
        CHECK_FALSE(caught.more);
    }
    CHECK(seqs_of(found(history, since(0)).messages) == numbers(1, 10));
}

TEST_CASE("who missed nothing is recovered with nothing") {
    const History history = history_at(10, 10, false);
    for (const auto& resume : {since(10), since(10, second_reign), last_seen(10)}) {
        CHECK(found(history, resume).recovered);
        CHECK(found(history, resume).messages.empty());
    }
    CHECK(found(history_at(10, 0, false), last_seen(10)).recovered);
    CHECK(found(history_at(10, 0, true), since(10, second_reign)).recovered);
}

TEST_CASE("a long catch-up is cut to 200 messages, oldest first, and says that there is more") {
    const History history = history_at(300, 300, false);
    CHECK_FALSE(found(history, since(101)).more);
    CHECK_FALSE(found(history, since(100)).more);
    CHECK(found(history, since(100)).messages.size() == 200);
    const auto caught = found(history, since(99));
    CHECK(seqs_of(caught.messages) == numbers(100, 299));
    CHECK(caught.recovered);
    CHECK(caught.more);
}

TEST_CASE("a point that is unknown, ahead or on another line gives the latest 50, not recovered") {
    const History history = history_at(100, 100, false);
    const Resume unparsable{{}, {}, 0, true};
    for (const auto& resume :
         {since(101, second_reign),
          since(99, second_reign),
          since(5, {1, 9, 0}),
          last_seen(101),
          unparsable}) {
        const auto caught = found(history, resume);
        CHECK_FALSE(caught.recovered);
        CHECK(seqs_of(caught.messages) == numbers(51, 100));
    }
    CHECK(seqs_of(found(history, last_seen(101, 3)).messages) == numbers(98, 100));
}

TEST_CASE("the last seen id wins over the point") {
    Resume resume = since(2);
    resume.last_seen_id = MessageId{800};
    CHECK(seqs_of(found(history_at(10, 10, false), resume).messages) == numbers(9, 10));
}

TEST_CASE("without an archive what the ring lost is not recovered") {
    const History history = history_at(10, 4, false);
    CHECK(found(history, since(6)).recovered);
    CHECK_FALSE(found(history, since(5)).recovered);
    CHECK(seqs_of(found(history, since(5)).messages) == numbers(7, 10));
    CHECK_FALSE(found(history, last_seen(6)).recovered);
}

TEST_CASE("with an archive a point that is older than the ring is recovered") {
    const History history = history_at(10, 4, true);
    for (const auto& resume : {since(3), last_seen(3)}) {
        const auto caught = found_with(history, resume, messages_at(1, 10));
        CHECK(caught.recovered);
        CHECK(seqs_of(caught.messages) == numbers(4, 10));
        CHECK(seqs_of(found_with(history, resume, messages_at(1, 6)).messages) == numbers(4, 10));
    }
    CHECK(found_with(history, last_seen(6), messages_at(1, 6)).recovered);
}

TEST_CASE("a catch-up longer than a page of the archive is recovered with more") {
    const History history = history_at(500, 4, true);
    const auto caught = found_with(history, since(3), messages_at(1, 500));
    CHECK(caught.recovered);
    CHECK(caught.more);
    CHECK(seqs_of(caught.messages) == numbers(4, 203));
}

TEST_CASE("an id that the archive does not know gives the latest messages, read from there") {
    const History history = history_at(100, 4, true);
    CatchUp catch_up(last_seen(3));
    CHECK(asked_in(catch_up.begin(history)).after_id == MessageId{300});
    const auto second = catch_up.on_loaded(history, {{}, false, false, {}});
    CHECK(asked_in(second) == HistoryRange{{}, {}, Seq{97}, 46});
    const auto caught =
        found_in(catch_up.on_loaded(history, page_of(messages_at(1, 96), asked_in(second))));
    CHECK_FALSE(caught.recovered);
    CHECK(seqs_of(caught.messages) == numbers(51, 100));
}

TEST_CASE("a hole in the archive is never recovered over") {
    const History history = history_at(20, 4, true);
    auto stored = messages_at(1, 16);
    for (const std::uint64_t missing : {4, 9, 16}) {
        auto holed = stored;
        holed.erase(holed.begin() + static_cast<std::ptrdiff_t>(missing - 1));
        for (const auto& resume : {since(3), last_seen(3)}) {
            const auto caught = found_with(history, resume, holed);
            CHECK_FALSE(caught.recovered);
            CHECK(seqs_of(caught.messages) == numbers(missing + 1, 20));
        }
    }
}

TEST_CASE("an archive that ends before the head is not recovered from when the ring is empty") {
    const History history = history_at(20, 0, true);
    const auto caught = found_with(history, since(3), messages_at(1, 18));
    CHECK_FALSE(caught.recovered);
    CHECK(caught.messages.empty());
}

TEST_CASE("a store that does not say where the anchor stands is believed") {
    const History history = history_at(10, 4, true);
    CatchUp catch_up(last_seen(3));
    catch_up.begin(history);
    const auto caught =
        found_in(catch_up.on_loaded(history, {messages_at(4, 10), false, true, {}}));
    CHECK(caught.recovered);
    CatchUp nothing_after(last_seen(6));
    nothing_after.begin(history);
    const auto rest = found_in(nothing_after.on_loaded(history, {{}, false, true, {}}));
    CHECK(rest.recovered);
    CHECK(seqs_of(rest.messages) == numbers(7, 10));
}

TEST_CASE("when the archive fails the ring gives what it has") {
    const History history = history_at(100, 4, true);
    CatchUp catch_up(since(3));
    catch_up.begin(history);
    const auto caught = catch_up.on_failed(history);
    CHECK_FALSE(caught.recovered);
    CHECK(seqs_of(caught.messages) == numbers(97, 100));
}

TEST_CASE("what arrives while the archive reads is caught up with too") {
    History history = history_at(10, 4, true);
    CatchUp catch_up(since(3));
    const auto asked = asked_in(catch_up.begin(history));
    history.append(message_at(11));
    const auto caught = found_in(catch_up.on_loaded(history, page_of(messages_at(1, 10), asked)));
    CHECK(caught.recovered);
    CHECK(seqs_of(caught.messages) == numbers(4, 11));
}

}  // namespace chatx::engine
