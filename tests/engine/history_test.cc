#include "engine/history.h"

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <limits>
#include <string>
#include <variant>
#include <vector>

namespace chatx::engine {

namespace {

constexpr Epoch second_reign = {1, 2, 0};

History::Options small(std::size_t messages_max) {
    History::Options options;
    options.messages_max = messages_max;
    return options;
}

/// A history whose order has reached `head`, with the last `kept` messages in the ring.
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

HistoryPage page_from(const History& history, const HistoryRange& range) {
    const auto read = history.read(range);
    REQUIRE(std::holds_alternative<HistoryPage>(read));
    return std::get<HistoryPage>(read);
}

PendingRead pending_from(const History& history, const HistoryRange& range) {
    const auto read = history.read(range);
    REQUIRE(std::holds_alternative<PendingRead>(read));
    return std::get<PendingRead>(read);
}

HistoryRange latest(std::uint32_t limit) {
    return {{}, {}, {}, limit};
}

HistoryRange after(std::uint64_t seq, std::uint32_t limit = 50) {
    return {{}, Seq{seq}, {}, limit};
}

HistoryRange before(std::uint64_t seq, std::uint32_t limit = 50) {
    return {{}, {}, Seq{seq}, limit};
}

HistoryRange after_id(std::uint64_t seq, std::uint32_t limit = 50) {
    return {MessageId{seq * 100}, {}, {}, limit};
}

}  // namespace

// ---- the ring ----

TEST_CASE("without an archive the ring keeps the latest messages up to its bound") {
    History history(small(3), {first_reign, {}, {}, {}, {}, false});
    CHECK(history.first() == Seq{1});
    for (const auto& message : messages_at(1, 2))
        history.append(message);
    CHECK(history.first() == Seq{1});
    history.append(message_at(3));
    CHECK(history.first() == Seq{1});
    history.append(message_at(4));
    CHECK(history.first() == Seq{2});
    CHECK(history.head() == Seq{4});
}

TEST_CASE("the ring is bounded in bytes") {
    History::Options options;
    options.bytes_max = 3 * memory_bytes(*message_at(1));
    History history(options, {first_reign, {}, {}, {}, {}, false});
    for (const auto& message : messages_at(1, 3))
        history.append(message);
    CHECK(history.bytes() == options.bytes_max);
    CHECK(history.ring().size() == 3);
    history.append(message_at(4, {}, first_reign, "hello!"));
    CHECK(history.ring().size() == 2);
    CHECK(history.bytes() <= options.bytes_max);
}

TEST_CASE("with an archive a message stays until it is archived") {
    History history(small(2), {first_reign, {}, {}, {}, {}, true});
    for (const auto& message : messages_at(1, 5))
        history.append(message);
    CHECK(history.first() == Seq{1});
    history.on_archived(Seq{2});
    CHECK(history.first() == Seq{3});
    history.on_archived(Seq{5});
    CHECK(history.first() == Seq{4});
    history.on_archived(Seq{3});
    CHECK(history.archived() == Seq{5});
    history.on_archived(Seq{99});
    CHECK(history.archived() == Seq{5});
}

TEST_CASE("an archive that lags too far behind does not hold the ring for ever") {
    History::Options options = small(2);
    options.unarchived_messages_max = 4;
    History history(options, {first_reign, {}, {}, {}, {}, true});
    for (const auto& message : messages_at(1, 4))
        history.append(message);
    CHECK(history.ring().size() == 4);
    history.append(message_at(5));
    CHECK(history.ring().size() == 4);

    History::Options by_bytes = small(2);
    by_bytes.unarchived_bytes_max = 4 * memory_bytes(*message_at(1));
    History other(by_bytes, {first_reign, {}, {}, {}, {}, true});
    for (const auto& message : messages_at(1, 5))
        other.append(message);
    CHECK(other.ring().size() == 4);
}

TEST_CASE("a start takes the dense tail that ends at the head") {
    auto recent = messages_at(3, 9);
    recent.erase(recent.begin() + 2);
    History history({}, {second_reign, Seq{9}, MessageId{900}, {}, recent, true});
    CHECK(seqs_of({history.ring().begin(), history.ring().end()}) == numbers(6, 9));
    CHECK(history.archived() == Seq{5});

    recent.back() = nullptr;
    CHECK(History({}, {second_reign, Seq{9}, {}, {}, recent, true}).ring().empty());
    CHECK(History({}, {second_reign, Seq{8}, {}, {}, messages_at(1, 9), true}).ring().empty());
    CHECK(History({}, {second_reign, {}, {}, {}, {message_at(0)}, true}).ring().empty());
}

TEST_CASE("a start is cut to the bounds of the ring") {
    History history(small(3), {second_reign, Seq{9}, {}, {}, messages_at(1, 9), false});
    CHECK(history.first() == Seq{7});
}

// ---- reigns ----

TEST_CASE("a point is on the line while its reign had the head there") {
    History history(
        {}, {{1, 3, 0}, Seq{20}, {}, {{{1, 1, 0}, Seq{1}}, {{1, 2, 0}, Seq{11}}}, {}, true});
    CHECK(history.on_line({1, 1, 0}, Seq{0}));
    CHECK(history.on_line({1, 1, 0}, Seq{10}));
    CHECK_FALSE(history.on_line({1, 1, 0}, Seq{11}));
    CHECK_FALSE(history.on_line({1, 2, 0}, Seq{9}));
    CHECK(history.on_line({1, 2, 0}, Seq{10}));
    CHECK(history.on_line({1, 2, 0}, Seq{20}));
    CHECK_FALSE(history.on_line({1, 2, 0}, Seq{21}));
    CHECK(history.on_line({1, 3, 0}, Seq{20}));
    CHECK_FALSE(history.on_line({1, 3, 0}, Seq{21}));
    CHECK_FALSE(history.on_line({1, 4, 0}, Seq{20}));
    CHECK_FALSE(history.on_line({1, 3, 0}, Seq{std::numeric_limits<std::uint64_t>::max()}));
}

TEST_CASE("a reign that begins later takes over from the next place on") {
    History history({}, {first_reign, {}, {}, {}, {}, false});
    history.append(message_at(1));
    history.begin_epoch(second_reign);
    history.append(message_at(2, {}, second_reign));
    CHECK(history.on_line(first_reign, Seq{1}));
    CHECK_FALSE(history.on_line(first_reign, Seq{2}));
    CHECK(history.on_line(second_reign, Seq{1}));
    CHECK(history.on_line(second_reign, Seq{2}));
}

TEST_CASE(
    "a start takes reigns that grow, learns of others from the messages, and drops nonsense") {
    const std::vector<EpochStart> epochs = {
        {{1, 3, 0}, Seq{3}}, {{1, 2, 0}, Seq{5}}, {{1, 4, 0}, Seq{2}}, {{9, 9, 9}, Seq{1}}};
    History history({}, {{1, 7, 0}, Seq{9}, {}, epochs, {message_at(9, {}, {1, 6, 0})}, true});
    CHECK(history.on_line({1, 3, 0}, Seq{4}));
    CHECK_FALSE(history.on_line({1, 2, 0}, Seq{5}));
    CHECK_FALSE(history.on_line({1, 4, 0}, Seq{5}));
    CHECK_FALSE(history.on_line({9, 9, 9}, Seq{5}));
    CHECK(history.on_line({1, 6, 0}, Seq{9}));
    CHECK(history.on_line({1, 7, 0}, Seq{9}));
}

TEST_CASE("only so many reigns are known") {
    History::Options options;
    options.epochs_max = 2;
    History history(options, {{1, 1, 0}, {}, {}, {}, {}, false});
    history.begin_epoch({1, 2, 0});
    CHECK(history.on_line({1, 1, 0}, Seq{0}));
    history.begin_epoch({1, 3, 0});
    CHECK_FALSE(history.on_line({1, 1, 0}, Seq{0}));
    CHECK(history.on_line({1, 2, 0}, Seq{0}));
}

// ---- pages from the ring ----

TEST_CASE("the latest messages come in order, and more tells of older ones") {
    const History history = history_at(10, 10, false);
    CHECK(seqs_of(page_from(history, latest(3)).messages) == numbers(8, 10));
    CHECK(page_from(history, latest(3)).more);
    CHECK(page_from(history, latest(9)).more);
    CHECK(seqs_of(page_from(history, latest(10)).messages) == numbers(1, 10));
    CHECK_FALSE(page_from(history, latest(10)).more);
    CHECK_FALSE(page_from(history, latest(11)).more);
    CHECK(page_from(history, latest(0)).messages.empty());
    CHECK(seqs_of(history.latest(3)) == numbers(8, 10));
    CHECK(seqs_of(history.latest(99)) == numbers(1, 10));
}

TEST_CASE("pages go forward from after and backward from before") {
    const History history = history_at(10, 10, false);
    CHECK(seqs_of(page_from(history, after(4, 3)).messages) == numbers(5, 7));
    CHECK(page_from(history, after(4, 3)).more);
    CHECK(seqs_of(page_from(history, after(7, 3)).messages) == numbers(8, 10));
    CHECK_FALSE(page_from(history, after(7, 3)).more);
    CHECK(page_from(history, after(10)).messages.empty());
    CHECK(page_from(history, after(std::numeric_limits<std::uint64_t>::max())).messages.empty());
    CHECK(seqs_of(page_from(history, before(5, 3)).messages) == numbers(2, 4));
    CHECK(page_from(history, before(5, 3)).more);
    CHECK(seqs_of(page_from(history, before(4, 3)).messages) == numbers(1, 3));
    CHECK_FALSE(page_from(history, before(4, 3)).more);
    CHECK(page_from(history, before(1)).messages.empty());
    CHECK(page_from(history, before(0)).messages.empty());
    CHECK(seqs_of(page_from(history, {{}, Seq{3}, Seq{6}, 50}).messages) == numbers(4, 5));
    CHECK_FALSE(page_from(history, {{}, Seq{3}, Seq{6}, 50}).more);
    CHECK(page_from(history, {{}, Seq{3}, Seq{4}, 50}).messages.empty());
    CHECK(page_from(history, {{}, Seq{3}, Seq{2}, 50}).messages.empty());
}

TEST_CASE("a page has at most 200 messages") {
    const History history = history_at(300, 300, false);
    CHECK(page_from(history, after(0, 199)).messages.size() == 199);
    CHECK(page_from(history, after(0, 200)).messages.size() == 200);
    CHECK(page_from(history, after(0, 201)).messages.size() == 200);
    CHECK(page_from(history, latest(1000)).messages.size() == 200);
}

TEST_CASE("an id of the ring is an anchor, an unknown one is told") {
    const History history = history_at(10, 10, false);
    const auto page = page_from(history, after_id(8));
    CHECK(seqs_of(page.messages) == numbers(9, 10));
    CHECK(page.anchor == Seq{8});
    CHECK(page.anchor_known);
    CHECK(page_from(history, after_id(10)).messages.empty());
    CHECK_FALSE(page_from(history, {MessageId{801}, {}, {}, 50}).anchor_known);
    CHECK_FALSE(page_from(history, after_id(11)).anchor_known);
}

TEST_CASE("the id of the head is known though no message is in memory") {
    const History history = history_at(10, 0, true);
    const auto page = page_from(history, after_id(10));
    CHECK(page.anchor_known);
    CHECK(page.messages.empty());
}

TEST_CASE("without an archive a hole at the start of a page shows in the seqs") {
    const History history = history_at(10, 4, false);
    CHECK(seqs_of(page_from(history, after(2)).messages) == numbers(7, 10));
    CHECK(seqs_of(page_from(history, latest(50)).messages) == numbers(7, 10));
    CHECK(page_from(history, before(5)).messages.empty());
    CHECK_FALSE(page_from(history, after_id(2)).anchor_known);
}

// ---- pages with the archive ----

TEST_CASE("what the ring does not have is read from the archive, no more than that") {
    const History history = history_at(10, 4, true);
    CHECK(pending_from(history, latest(6)).asked == HistoryRange{{}, {}, Seq{7}, 2});
    CHECK(pending_from(history, before(9, 6)).asked == HistoryRange{{}, {}, Seq{7}, 4});
    CHECK(pending_from(history, before(5, 6)).asked == HistoryRange{{}, {}, Seq{5}, 6});
    CHECK(pending_from(history, after(2, 6)).asked == HistoryRange{{}, Seq{2}, {}, 6});
    CHECK(pending_from(history, after_id(2)).asked == after_id(2));
    CHECK(seqs_of(page_from(history, after(6)).messages) == numbers(7, 10));
    CHECK(seqs_of(page_from(history, latest(4)).messages) == numbers(7, 10));
    CHECK(page_from(history, latest(4)).more);
    CHECK_FALSE(page_from(history, after_id(11)).anchor_known);
}

TEST_CASE("an archive's page is continued from the ring, with what arrived meanwhile") {
    History history = history_at(10, 4, true);
    const auto stored = messages_at(1, 10);
    const auto forward = pending_from(history, after(2));
    const auto by_id = pending_from(history, after_id(2));
    const auto newest = pending_from(history, latest(6));
    history.append(message_at(11));
    CHECK(
        seqs_of(history.finish(forward, page_of(stored, forward.asked)).messages)
        == numbers(3, 11));
    CHECK(seqs_of(history.finish(by_id, page_of(stored, by_id.asked)).messages) == numbers(3, 11));
    CHECK(
        seqs_of(history.finish(newest, page_of(stored, newest.asked)).messages) == numbers(6, 11));
    CHECK(history.finish(newest, page_of(stored, newest.asked)).more);
    CHECK_FALSE(history.finish(forward, page_of(stored, forward.asked)).more);
}

TEST_CASE("a page keeps its limit when it is joined") {
    const History history = history_at(10, 4, true);
    const auto stored = messages_at(1, 8);
    const auto forward = pending_from(history, after(2, 6));
    const auto page = history.finish(forward, page_of(stored, forward.asked));
    CHECK(seqs_of(page.messages) == numbers(3, 8));
    CHECK(page.more);
    const auto full = pending_from(history, after(2, 8));
    CHECK(seqs_of(history.finish(full, page_of(stored, full.asked)).messages) == numbers(3, 10));
    CHECK_FALSE(history.finish(full, page_of(stored, full.asked)).more);
    const auto all = pending_from(history, latest(10));
    CHECK(seqs_of(history.finish(all, page_of(stored, all.asked)).messages) == numbers(1, 10));
    CHECK_FALSE(history.finish(all, page_of(stored, all.asked)).more);
}

TEST_CASE("an archive with more ends the page") {
    const History history = history_at(10, 4, true);
    const auto read = pending_from(history, after(2));
    const auto page = history.finish(read, {messages_at(3, 4), true, true, {}});
    CHECK(seqs_of(page.messages) == numbers(3, 4));
    CHECK(page.more);
}

TEST_CASE("a message missing in the archive is a hole that shows") {
    const History history = history_at(10, 4, true);
    const auto read = pending_from(history, after(2));
    const auto page = history.finish(read, {messages_at(3, 4), false, true, {}});
    CHECK(seqs_of(page.messages) == std::vector<std::uint64_t>{3, 4, 7, 8, 9, 10});
}

TEST_CASE("messages that leave the ring while the archive reads are never skipped") {
    History history(small(3), {second_reign, Seq{10}, {}, {}, messages_at(8, 10), true});
    const auto forward = pending_from(history, after(5));
    const auto backward = pending_from(history, latest(5));
    const auto old_page = pending_from(history, before(10, 5));
    const auto stored = messages_at(1, 10);
    for (const auto& message : messages_at(11, 20))
        history.append(message);
    history.on_archived(Seq{20});
    REQUIRE(history.first() == Seq{18});
    const auto page = history.finish(forward, page_of(messages_at(1, 7), forward.asked));
    CHECK(seqs_of(page.messages) == numbers(6, 10));
    CHECK(page.more);
    const auto newest = history.finish(backward, page_of(stored, backward.asked));
    CHECK(seqs_of(newest.messages) == numbers(18, 20));
    CHECK(newest.more);
    CHECK(
        seqs_of(history.finish(old_page, page_of(stored, old_page.asked)).messages)
        == numbers(5, 9));
}

TEST_CASE("an anchor that the archive does not know is told") {
    const History history = history_at(10, 4, true);
    const auto page =
        history.finish(pending_from(history, after_id(2)), {messages_at(3, 4), true, false, {}});
    CHECK_FALSE(page.anchor_known);
    CHECK(page.messages.empty());
}

TEST_CASE("an answer that cannot be right is not plausible") {
    const History history = history_at(10, 4, true);
    const RoomId room = room_id();
    CHECK(history.plausible(room, after(2), {messages_at(3, 10), false, true, {}}));
    CHECK(history.plausible(room, after(2), {{message_at(4), message_at(9)}, false, true, {}}));
    CHECK_FALSE(history.plausible(room, after(2), {messages_at(2, 4), false, true, {}}));
    CHECK_FALSE(history.plausible(room, after(2), {messages_at(9, 11), false, true, {}}));
    CHECK_FALSE(history.plausible(room, before(5), {messages_at(3, 5), false, true, {}}));
    CHECK_FALSE(history.plausible(room, latest(2), {messages_at(3, 5), false, true, {}}));
    CHECK_FALSE(
        history.plausible(room, latest(50), {{message_at(4), message_at(3)}, false, true, {}}));
    CHECK_FALSE(
        history.plausible(room, latest(50), {{message_at(4), message_at(4)}, false, true, {}}));
    CHECK_FALSE(history.plausible(room, latest(50), {{nullptr}, false, true, {}}));
    CHECK_FALSE(history.plausible(room, latest(50), {{message_at(0)}, false, true, {}}));
    CHECK_FALSE(
        history.plausible(room_id("elsewhere"), latest(50), {messages_at(3, 5), false, true, {}}));
    CHECK_FALSE(history.plausible(room, after_id(2), {messages_at(3, 5), false, true, Seq{11}}));
    CHECK_FALSE(history.plausible(room, after_id(4), {messages_at(3, 5), false, true, Seq{4}}));
}

namespace {

void pages_match_one_complete_store() {
    const auto head = *rc::gen::inRange<std::uint64_t>(0, 30);
    const auto kept = *rc::gen::inRange<std::uint64_t>(0, head + 1);
    const auto archived = *rc::gen::inRange<std::uint64_t>(head - kept, head + 1);
    const auto arrived = *rc::gen::inRange<std::uint64_t>(0, 10);
    const auto limit = *rc::gen::inRange<std::uint32_t>(1, 40);
    const auto from = *rc::gen::inRange<std::uint64_t>(0, 45);
    const auto to = *rc::gen::inRange<std::uint64_t>(0, 45);
    const auto kind = *rc::gen::inRange(0, 5);
    const std::vector<HistoryRange> kinds = {
        latest(limit),
        after(from, limit),
        before(to, limit),
        {{}, Seq{from}, Seq{to}, limit},
        after_id(from, limit)};
    const HistoryRange range = kinds.at(static_cast<std::size_t>(kind));
    History history = history_at(head, kept, true);
    const auto read = history.read(range);
    if (const auto* page = std::get_if<HistoryPage>(&read)) {
        const auto expected = page_of(messages_at(1, head), range);
        RC_ASSERT(seqs_of(page->messages) == seqs_of(expected.messages));
        RC_ASSERT(page->more == expected.more);
        RC_ASSERT(page->anchor_known == expected.anchor_known);
        return;
    }
    const auto& pending = std::get<PendingRead>(read);
    const auto loaded = page_of(messages_at(1, archived), pending.asked);
    for (const auto& message : messages_at(head + 1, head + arrived))
        history.append(message);
    RC_ASSERT(history.plausible(room_id(), pending.asked, loaded));
    const auto page = history.finish(pending, loaded);
    const auto expected = page_of(messages_at(1, head + arrived), range);
    RC_ASSERT(page.anchor_known == expected.anchor_known);
    const auto seqs = seqs_of(page.messages);
    const auto all = seqs_of(expected.messages);
    if (seqs != all) {
        // A full page of the archive may end early, and says so.
        RC_ASSERT(page.more);
        RC_ASSERT(std::equal(seqs.begin(), seqs.end(), all.begin()));
    } else {
        RC_ASSERT(page.more == expected.more);
    }
}

}  // namespace

TEST_CASE("with ring and archive together every page is what one complete store would answer") {
    CHECK(rc::check(pages_match_one_complete_store));
}

}  // namespace chatx::engine
