#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>

#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

/// What every archive must do. Call it from a test case with an empty archive: its parts are
/// subcases, so the test case is run once for each, with a fresh archive.
namespace chatx::test {

// NOLINTBEGIN(readability-function-size): a loop in a subcase is five levels deep once doctest's
// macros are expanded.
namespace conformance {

inline HistoryPage load(Persistence& archive, const RoomId& room, const HistoryRange& range) {
    auto page = archive.load(room, range);
    REQUIRE(page);
    return *page;
}

inline HistoryRange latest(std::uint32_t limit) {
    return {{}, {}, {}, limit};
}

/// Texts that have meaning somewhere on their way to a disk and back.
inline const std::vector<std::string>& awkward_texts() {
    static const std::vector<std::string> texts{
        "'; DROP TABLE messages; --",
        "\"quoted\" `ticked` [bracketed]",
        "''''",
        "\\'; \\x00 \\n",
        "%s %n ? ?1 :name @name $1",
        "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB \xF0\x9F\x8F\xB3\xEF\xB8\x8F",
        "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D \xE2\x80\xAE reversed",
        "NULL",
        "0",
        "1e999",
        "true",
        "{}",
        "{\"a\":1}",
        "E'\\\\'",
        "$$body$$",
        "--",
        "/* comment",
        "<script>alert(1)</script>",
    };
    return texts;
}

inline const std::vector<std::string>& awkward_contents() {
    using std::string_literals::operator""s;
    static const std::vector<std::string> texts{
        ""s,
        "\0"s,
        "before\0after"s,
        "\0'; DROP TABLE log; --"s,
        "line\nline\r\n\ttab"s,
        " spaces "s,
        std::string(300'000, 'x')};
    return texts;
}

inline void round_trip(Persistence& archive, const Message& message) {
    REQUIRE(archive.save(std::array{shared(message)}) == Result<Done>(Done{}));
    const auto page = load(archive, message.room, latest(1));
    REQUIRE(page.messages.size() == 1);
    CHECK(*page.messages[0] == message);
}

inline void fields(Persistence& archive) {
    SUBCASE("texts that look like SQL, in all fields, come back as they were") {
        std::uint64_t number = 0;
        for (const auto& text : awkward_texts()) {
            auto message = message_at(room_named(text), ++number);
            message.user = user_named(text);
            message.content = text;
            message.client_id = text;
            round_trip(archive, message);
        }
    }
    SUBCASE("any content comes back as it was: none, NUL, line ends, large") {
        std::uint64_t number = 0;
        for (const auto& text : awkward_contents()) {
            auto message = message_at(room_named("contents"), ++number);
            message.content = text;
            round_trip(archive, message);
        }
    }
    SUBCASE("the largest and the smallest numbers come back as they were") {
        auto message = message_at(room_named("numbers"), 1);
        message.id = MessageId{std::numeric_limits<std::uint64_t>::max()};
        message.epoch = {0xFFFFFFFF, std::numeric_limits<std::uint64_t>::max() / 2, 0xFFFF};
        message.inserted_at = WallTime(WallTime::duration(-1));
        message.reply_to = MessageId{std::numeric_limits<std::uint64_t>::max() - 1};
        message.client_id = "";
        round_trip(archive, message);
        message.id = MessageId{0};
        message.seq = Seq{std::numeric_limits<std::int64_t>::max() - 1};
        message.reply_to = MessageId{0};
        round_trip(archive, message);
    }
    SUBCASE("names that differ in case, space or length are different rooms") {
        for (const auto* name : {"a", "A", " a", "a ", "aa", "\xC3\xA4", "a\xCC\x88"}) {
            round_trip(archive, message_at(room_named(name), 1));
            CHECK(load(archive, room_named(name), latest(9)).messages.size() == 1);
        }
    }
}

inline void reading(Persistence& archive) {
    const auto room = room_named("lobby");
    const auto stored = messages(room, 1, 10);
    REQUIRE(archive.save(stored) == Result<Done>(Done{}));
    REQUIRE(archive.save(messages(room_named("lobby2"), 1, 3)) == Result<Done>(Done{}));

    SUBCASE("a room never heard of has an empty page") {
        const auto page = load(archive, room_named("nowhere"), latest(10));
        CHECK(page.messages.empty());
        CHECK_FALSE(page.more);
        CHECK(page.anchor_known);
    }
    SUBCASE("the latest messages come in order, and tell whether there are earlier ones") {
        auto page = load(archive, room, latest(3));
        CHECK(values(page.messages) == values({stored.end() - 3, stored.end()}));
        CHECK(page.more);
        page = load(archive, room, latest(10));
        CHECK(values(page.messages) == values(stored));
        CHECK_FALSE(page.more);
    }
    SUBCASE("messages before a place are the latest of them, in order") {
        auto page = load(archive, room, {{}, {}, Seq{6}, 2});
        CHECK(seqs(page.messages) == std::vector<std::uint64_t>{4, 5});
        CHECK(page.more);
        page = load(archive, room, {{}, {}, Seq{3}, 2});
        CHECK(seqs(page.messages) == std::vector<std::uint64_t>{1, 2});
        CHECK_FALSE(page.more);
        CHECK(load(archive, room, {{}, {}, Seq{1}, 2}).messages.empty());
        CHECK(load(archive, room, {{}, {}, Seq{0}, 2}).messages.empty());
    }
    SUBCASE("messages after a place come oldest first") {
        auto page = load(archive, room, {{}, Seq{6}, {}, 3});
        CHECK(seqs(page.messages) == std::vector<std::uint64_t>{7, 8, 9});
        CHECK(page.more);
        page = load(archive, room, {{}, Seq{6}, {}, 4});
        CHECK(seqs(page.messages) == std::vector<std::uint64_t>{7, 8, 9, 10});
        CHECK_FALSE(page.more);
        CHECK(load(archive, room, {{}, Seq{10}, {}, 4}).messages.empty());
    }
    SUBCASE("messages between two places are those between, oldest first") {
        const auto page = load(archive, room, {{}, Seq{3}, Seq{6}, 9});
        CHECK(seqs(page.messages) == std::vector<std::uint64_t>{4, 5});
        CHECK_FALSE(page.more);
        CHECK(load(archive, room, {{}, Seq{6}, Seq{3}, 9}).messages.empty());
    }
    SUBCASE("messages after an id follow it, and its place is told") {
        const auto page = load(archive, room, {stored[7]->id, Seq{1}, {}, 9});
        CHECK(page.anchor_known);
        CHECK(page.anchor == Seq{8});
        CHECK(seqs(page.messages) == std::vector<std::uint64_t>{9, 10});
        CHECK(load(archive, room, {stored[9]->id, {}, {}, 9}).anchor_known);
    }
    SUBCASE(
        "an id that is unknown, or of another room, is said to be unknown, and nothing is read") {
        for (const auto id : {MessageId{12345}, id_at(room_named("lobby2"), 1)}) {
            const auto page = load(archive, room, {id, Seq{1}, {}, 9});
            CHECK_FALSE(page.anchor_known);
            CHECK(page.messages.empty());
            CHECK_FALSE(page.more);
        }
        CHECK_FALSE(load(archive, room_named("nowhere"), {MessageId{1}, {}, {}, 9}).anchor_known);
    }
    SUBCASE("places beyond all numbers are no error") {
        constexpr auto huge = std::numeric_limits<std::uint64_t>::max();
        CHECK(load(archive, room, {{}, Seq{huge}, {}, 9}).messages.empty());
        CHECK(load(archive, room, {{}, {}, Seq{huge}, 9}).messages.size() == 9);
        CHECK(load(archive, room, {{}, Seq{huge}, Seq{huge}, 9}).messages.empty());
    }
    SUBCASE("a page of no messages tells whether there are any") {
        const auto page = load(archive, room, latest(0));
        CHECK(page.messages.empty());
        CHECK(page.more);
    }
}

inline void paging(Persistence& archive) {
    const auto room = room_named("long");
    const auto stored = messages(room, 1, 2 * history_page_max + 1);
    REQUIRE(archive.save(stored) == Result<Done>(Done{}));

    SUBCASE("a page has at most history_page_max messages, whatever is asked") {
        for (const std::uint32_t limit :
             {history_page_max - 1, history_page_max, history_page_max + 1, ~0U}) {
            const auto page = load(archive, room, latest(limit));
            CHECK(page.messages.size() == std::min(limit, history_page_max));
            CHECK(page.more);
        }
    }
    SUBCASE("pages forward and pages backward find every message once") {
        std::vector<MessagePtr> forward;
        HistoryPage page;
        do {
            const Seq last = forward.empty() ? Seq{} : forward.back()->seq;
            page = load(archive, room, {{}, last, {}, history_page_max});
            forward.insert(forward.end(), page.messages.begin(), page.messages.end());
        } while (page.more);
        CHECK(values(forward) == values(stored));

        std::vector<MessagePtr> backward;
        do {
            HistoryRange range = latest(7);
            if (!backward.empty()) range.before = backward.front()->seq;
            page = load(archive, room, range);
            backward.insert(backward.begin(), page.messages.begin(), page.messages.end());
        } while (page.more);
        CHECK(values(backward) == values(stored));
    }
}

inline void writing(Persistence& archive) {
    const auto room = room_named("lobby");
    const auto stored = messages(room, 1, 3);

    SUBCASE("an empty batch is no error") {
        CHECK(archive.save({}) == Result<Done>(Done{}));
    }
    SUBCASE("saving twice, in one batch or in two, makes one row") {
        REQUIRE(archive.save(stored) == Result<Done>(Done{}));
        REQUIRE(archive.save(stored) == Result<Done>(Done{}));
        REQUIRE(archive.save(std::array{stored[1], stored[1]}) == Result<Done>(Done{}));
        CHECK(values(load(archive, room, latest(9)).messages) == values(stored));
    }
    SUBCASE("a message that comes late takes its place") {
        REQUIRE(archive.save(std::array{stored[0], stored[2]}) == Result<Done>(Done{}));
        CHECK(seqs(load(archive, room, latest(9)).messages) == std::vector<std::uint64_t>{1, 3});
        REQUIRE(archive.save(std::array{stored[1]}) == Result<Done>(Done{}));
        CHECK(values(load(archive, room, latest(9)).messages) == values(stored));
    }
    SUBCASE("another message in a place, or an id in a second place, fails the whole batch") {
        REQUIRE(archive.save(std::array{stored[0]}) == Result<Done>(Done{}));
        auto other_id = message_at(room, 1);
        other_id.id = MessageId{7};
        auto other_place = message_at(room, 9);
        other_place.id = stored[0]->id;
        auto other_room = message_at(room_named("kitchen"), 1);
        other_room.id = stored[0]->id;
        for (const auto& wrong : {other_id, other_place, other_room}) {
            const auto saved = archive.save(std::array{stored[1], shared(wrong), stored[2]});
            REQUIRE_FALSE(saved);
            CHECK(saved.error().reason == Reason::adapter_error);
        }
        CHECK(values(load(archive, room, latest(9)).messages) == values({stored[0]}));
        CHECK(load(archive, room_named("kitchen"), latest(9)).messages.empty());
        CHECK(archive.save(std::array{stored[1]}) == Result<Done>(Done{}));
    }
    SUBCASE("one place of two reigns holds a message of each") {
        auto later = message_at(room, 1, Epoch{0, 2, 0});
        later.id = MessageId{7};
        REQUIRE(archive.save(std::array{shared(later), stored[0]}) == Result<Done>(Done{}));
        CHECK(values(load(archive, room, latest(9)).messages) == std::vector{*stored[0], later});
    }
}

}  // namespace conformance

// NOLINTEND(readability-function-size)

inline void check_persistence(Persistence& archive) {
    SUBCASE("fields") {
        conformance::fields(archive);
    }
    SUBCASE("reading") {
        conformance::reading(archive);
    }
    SUBCASE("paging") {
        conformance::paging(archive);
    }
    SUBCASE("writing") {
        conformance::writing(archive);
    }
}

}  // namespace chatx::test
