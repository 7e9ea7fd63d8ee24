#include "engine/send_queue.h"

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <chrono>
#include <string>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

SendQueue::Entry entry_of(std::uint64_t request, TimePoint now = start) {
    return {
        {room_id(), user_id("ann"), std::to_string(request), {}, {}},
        now,
        {{{EdgeId{1}, 1, request}, now + 5s}},
        0,
        false,
        {},
        {}};
}

}  // namespace

TEST_CASE("a send whose checks are through waits for those before it") {
    SendQueue queue;
    const auto first = queue.add(entry_of(1));
    const auto second = queue.add(entry_of(2));
    queue.at(second).checked = true;
    CHECK_FALSE(queue.next_to_propose());
    queue.at(first).checked = true;
    CHECK(queue.next_to_propose() == first);
    CHECK_FALSE(queue.first_proposed());
    queue.propose(first, message_at(1));
    CHECK(queue.next_to_propose() == second);
    CHECK(queue.first_proposed() == first);
}

TEST_CASE("a send that is taken out no longer holds up those behind it") {
    SendQueue queue;
    const auto first = queue.add(entry_of(1));
    const auto second = queue.add(entry_of(2));
    queue.at(second).checked = true;
    queue.begin_check(first, 10, start + 1s);
    CHECK(queue.remove(first).draft.content == "1");
    CHECK(queue.next_to_propose() == second);
    CHECK_FALSE(queue.end_check(10));
    CHECK(queue.deadline() == start + 5s);
}

TEST_CASE("a check is waited for until it ends or is due") {
    SendQueue queue;
    const auto place = queue.add(entry_of(1));
    queue.begin_check(place, 10, start + 1s);
    CHECK(queue.deadline() == start + 1s);
    CHECK_FALSE(queue.due_check(start + 1s - 1ns));
    CHECK(queue.due_check(start + 1s) == 10);
    CHECK(queue.end_check(10) == place);
    CHECK_FALSE(queue.end_check(10));
    CHECK_FALSE(queue.due_check(start + 24h));
}

TEST_CASE("each asker has a deadline of its own") {
    SendQueue queue;
    const auto place = queue.add(entry_of(1));
    queue.add_asker(place, {{EdgeId{1}, 1, 2}, start + 7s});
    queue.add_asker(place, {{EdgeId{1}, 1, 3}, start + 7s});
    CHECK_FALSE(queue.due_asker(start + 5s - 1ns));
    CHECK(queue.due_asker(start + 5s) == place);
    CHECK(queue.take_due_askers(place, start + 5s).size() == 1);
    CHECK_FALSE(queue.due_asker(start + 7s - 1ns));
    CHECK(queue.deadline() == start + 7s);
    CHECK(queue.take_due_askers(place, start + 7s).size() == 2);
    CHECK_FALSE(queue.deadline());
}

TEST_CASE("the oldest arrival is that of the first send") {
    SendQueue queue;
    CHECK_FALSE(queue.oldest_arrival());
    const auto first = queue.add(entry_of(1, start));
    queue.add(entry_of(2, start + 1s));
    CHECK(queue.oldest_arrival() == start);
    queue.remove(first);
    CHECK(queue.oldest_arrival() == start + 1s);
    CHECK(queue.size() == 1);
}

namespace {

void proposals_keep_order_of_arrival() {
    const auto choices =
        *rc::gen::container<std::vector<std::size_t>>(rc::gen::arbitrary<std::size_t>());
    SendQueue queue;
    std::vector<SendQueue::Place> waiting;
    std::vector<SendQueue::Place> proposed;
    std::size_t added = 0;
    std::size_t removed = 0;
    for (const std::size_t choice : choices) {
        if (waiting.empty() || choice % 3 == 0) {
            waiting.push_back(queue.add(entry_of(++added)));
            continue;
        }
        const auto picked =
            waiting.begin() + static_cast<std::ptrdiff_t>(choice / 3 % waiting.size());
        if (choice % 3 == 1) {
            queue.at(*picked).checked = true;
        } else {
            queue.remove(*picked);
            ++removed;
        }
        waiting.erase(picked);
        while (const auto next = queue.next_to_propose()) {
            queue.propose(*next, message_at(1));
            if (!proposed.empty()) RC_ASSERT(proposed.back() < *next);
            proposed.push_back(*next);
        }
    }
    if (waiting.empty()) RC_ASSERT(proposed.size() == added - removed);
    RC_ASSERT(queue.size() == added - removed);
}

}  // namespace

TEST_CASE("in whatever order checks end, sends are proposed in order of arrival") {
    CHECK(rc::check(proposals_keep_order_of_arrival));
}

}  // namespace chatx::engine
