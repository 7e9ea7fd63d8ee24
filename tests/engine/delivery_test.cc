#include "engine/delivery.h"

#include "tests/support/messages.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace chatx::engine {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): literals only.

const TimePoint start{1h};
const RoomId lobby = test::room_named("lobby");
const RoomId kitchen = test::room_named("kitchen");
const Error broken{Reason::adapter_error, "disk on fire", std::nullopt};

/// Draws the largest or the smallest number there is, so that jitter becomes a bound.
class FixedEntropy final : public Entropy {
public:
    explicit FixedEntropy(std::uint64_t value) : value_(value) {}

    std::uint64_t next() override { return value_; }

private:
    std::uint64_t value_;
};

FixedEntropy longest(~std::uint64_t{0});
FixedEntropy shortest(0);

Event counted(Metric metric, std::uint64_t value = 1, std::string_view label = "persistence") {
    return Event{metric, value, {}, label};
}

Archived archived(std::vector<Archived::Progress> rooms) {
    return Archived{std::move(rooms)};
}

/// Fills a batch of one and returns its number.
std::uint64_t send_one(Delivery& delivery, const MessagePtr& message, TimePoint now) {
    auto actions = delivery.enqueue(message, now);
    if (actions.empty()) actions = delivery.tick(now + 1h);
    return std::get<SaveBatch>(actions.at(0)).number;
}

TEST_CASE("delivery waits a tick for more, then sends what there is") {
    Delivery delivery({.tick = 100ms}, longest);
    CHECK(delivery.deadline() == std::nullopt);
    CHECK(delivery.idle());
    const auto first = test::message_ptr(lobby, 1);
    const auto second = test::message_ptr(kitchen, 1);
    CHECK(delivery.enqueue(first, start).empty());
    CHECK(delivery.enqueue(second, start + 60ms).empty());
    CHECK_FALSE(delivery.idle());
    CHECK(delivery.deadline() == start + 100ms);
    CHECK(delivery.tick(start + 99ms).empty());
    CHECK(delivery.tick(start + 100ms) == DeliveryActions{SaveBatch{1, {first, second}}});
    CHECK(delivery.deadline() == std::nullopt);
    CHECK(delivery.size() == 2);
}

TEST_CASE("a full batch goes out at once, and the next one only when its result is there") {
    Delivery delivery({.batch_size = 2}, longest);
    const auto queued = test::messages(lobby, 1, 5);
    CHECK(delivery.enqueue(queued[0], start).empty());
    CHECK(
        delivery.enqueue(queued[1], start)
        == DeliveryActions{SaveBatch{1, {queued[0], queued[1]}}});
    for (std::size_t i = 2; i < 5; ++i)
        CHECK(delivery.enqueue(queued[i], start).empty());
    CHECK(delivery.tick(start + 1h).empty());

    CHECK(
        delivery.on_result(1, Done{}, start + 1ms)
        == DeliveryActions{
            counted(Metric::delivery_success, 2),
            archived({{lobby, Seq{2}}}),
            SaveBatch{2, {queued[2], queued[3]}}});
    CHECK(
        delivery.on_result(2, Done{}, start + 2ms)
        == DeliveryActions{counted(Metric::delivery_success, 2), archived({{lobby, Seq{4}}})});
    CHECK(delivery.deadline() == start + 100ms);
}

TEST_CASE("progress names each room once, with its last place") {
    Delivery delivery({.batch_size = 4}, longest);
    for (std::uint64_t seq : {1U, 2U}) {
        (void)delivery.enqueue(test::message_ptr(lobby, seq), start);
        (void)delivery.enqueue(test::message_ptr(kitchen, seq + 6), start);
    }
    CHECK(
        delivery.on_result(1, Done{}, start)
        == DeliveryActions{
            counted(Metric::delivery_success, 4), archived({{kitchen, Seq{8}}, {lobby, Seq{2}}})});
    CHECK(delivery.idle());
}

TEST_CASE(
    "a batch that fails is sent again, whole, under a new number, and later each time up to the "
    "cap") {
    Delivery delivery(
        {.batch_size = 1, .max_retries = 5, .retry_base = 100ms, .retry_cap = 500ms}, longest);
    const auto message = test::message_ptr(lobby, 1);
    auto now = start;
    auto number = send_one(delivery, message, now);
    for (const auto pause : {100ms, 200ms, 400ms, 500ms, 500ms}) {
        CHECK(
            delivery.on_result(number, broken, now)
            == DeliveryActions{counted(Metric::delivery_retry)});
        CHECK(delivery.deadline() == now + pause);
        CHECK(delivery.tick(now + pause - 1ns).empty());
        now += pause;
        ++number;
        CHECK(delivery.tick(now) == DeliveryActions{SaveBatch{number, {message}}});
    }
    CHECK(
        delivery.on_result(number, broken, now)
        == DeliveryActions{
            counted(Metric::delivery_give_up),
            GiveUp{{message}, broken, 6},
            archived({{lobby, Seq{1}}})});
    CHECK(delivery.idle());
}

TEST_CASE("the pause before a retry is random from nothing on") {
    Delivery delivery({.batch_size = 1}, shortest);
    const auto number = send_one(delivery, test::message_ptr(lobby, 1), start);
    CHECK(
        delivery.on_result(number, broken, start)
        == DeliveryActions{counted(Metric::delivery_retry)});
    CHECK(delivery.deadline() == start);
    CHECK(delivery.tick(start).size() == 1);
}

TEST_CASE("extreme settings of retries neither overflow nor hang") {
    Delivery delivery(
        {.batch_size = 1,
         .max_retries = 200,
         .retry_base = Duration::max(),
         .retry_cap = Duration::max() / 2},
        shortest);
    auto number = send_one(delivery, test::message_ptr(lobby, 1), start);
    for (int retry = 0; retry < 200; ++retry) {
        (void)delivery.on_result(number, broken, start);
        number = std::get<SaveBatch>(delivery.tick(start).at(0)).number;
    }
    CHECK(std::get<GiveUp>(delivery.on_result(number, broken, start).at(1)).attempts == 201);
}

TEST_CASE("without retries the first failure is final, and delivery goes on with the next batch") {
    Delivery delivery({.batch_size = 1, .max_retries = 0}, longest);
    const auto lost = test::message_ptr(lobby, 1);
    const auto next = test::message_ptr(lobby, 2);
    const auto number = send_one(delivery, lost, start);
    CHECK(delivery.enqueue(next, start).empty());
    CHECK(
        delivery.on_result(number, broken, start)
        == DeliveryActions{
            counted(Metric::delivery_give_up),
            GiveUp{{lost}, broken, 1},
            archived({{lobby, Seq{1}}}),
            SaveBatch{number + 1, {next}}});
}

TEST_CASE("results that nobody waits for change nothing") {
    Delivery delivery({.batch_size = 1}, longest);
    CHECK(delivery.on_result(0, Done{}, start).empty());
    const auto number = send_one(delivery, test::message_ptr(lobby, 1), start);
    CHECK(delivery.on_result(number + 1, Done{}, start).empty());
    CHECK(delivery.on_result(number, broken, start).size() == 1);
    CHECK(delivery.on_result(number, Done{}, start).empty());  // The second answer to one attempt.
    (void)delivery.tick(start + 1h);
    CHECK(delivery.on_result(number, Done{}, start + 1h).empty());
    CHECK(delivery.on_result(number + 1, Done{}, start + 1h).size() == 2);
    CHECK(delivery.on_result(number + 1, Done{}, start + 1h).empty());
}

TEST_CASE("a message that finds the queue full is given up at once, and counted") {
    Delivery delivery({.batch_size = 1, .queue_max = 2}, longest);
    const auto number = send_one(delivery, test::message_ptr(lobby, 1), start);
    CHECK(delivery.enqueue(test::message_ptr(lobby, 2), start).empty());
    CHECK(delivery.size() == 2);

    const auto refused = test::message_ptr(kitchen, 1);
    const Error full{Reason::queue_overflow, "the delivery queue is full", std::nullopt};
    CHECK(
        delivery.enqueue(refused, start)
        == DeliveryActions{
            counted(Metric::delivery_give_up),
            GiveUp{{refused}, full, 0},
            archived({{kitchen, Seq{1}}})});
    CHECK(delivery.on_result(number, Done{}, start).size() == 3);
    CHECK(delivery.enqueue(test::message_ptr(kitchen, 2), start).empty());
}

TEST_CASE(
    "progress over a message given up for a full queue waits for the earlier ones of its room") {
    Delivery delivery({.batch_size = 1, .queue_max = 2}, longest);
    (void)send_one(delivery, test::message_ptr(lobby, 1), start);
    (void)delivery.enqueue(test::message_ptr(lobby, 2), start);
    CHECK(delivery.enqueue(test::message_ptr(lobby, 3), start).size() == 2);  // No progress.
    CHECK(
        std::get<Archived>(delivery.on_result(1, Done{}, start).at(1))
        == archived({{lobby, Seq{1}}}));
    CHECK(
        std::get<Archived>(delivery.on_result(2, Done{}, start).at(1))
        == archived({{lobby, Seq{3}}}));
}

TEST_CASE(
    "a delivery that drains sends what waits at once, whatever a batch holds, until it is idle") {
    Delivery delivery({.batch_size = 2}, longest);
    const auto queued = test::messages(lobby, 1, 4);
    CHECK(delivery.drain(start).empty());
    CHECK(delivery.enqueue(queued[0], start) == DeliveryActions{SaveBatch{1, {queued[0]}}});
    for (std::size_t i = 1; i < 4; ++i)
        CHECK(delivery.enqueue(queued[i], start).empty());
    CHECK(
        delivery.on_result(1, Done{}, start).at(2)
        == DeliveryAction{SaveBatch{2, {queued[1], queued[2]}}});
    CHECK(delivery.on_result(2, Done{}, start).at(2) == DeliveryAction{SaveBatch{3, {queued[3]}}});
    CHECK_FALSE(delivery.idle());
    CHECK(delivery.on_result(3, Done{}, start).size() == 2);
    CHECK(delivery.idle());

    Delivery late({}, longest);
    CHECK(late.enqueue(queued[0], start).empty());
    CHECK(late.drain(start) == DeliveryActions{SaveBatch{1, {queued[0]}}});
}

TEST_CASE("events carry the name of the target") {
    Delivery delivery({.target = DeliveryTarget::notifier, .batch_size = 1}, longest);
    const auto number = send_one(delivery, test::message_ptr(lobby, 1), start);
    CHECK(
        delivery.on_result(number, Done{}, start).at(0)
        == DeliveryAction{counted(Metric::delivery_success, 1, "notifier")});
    for (auto target : {DeliveryTarget::persistence, DeliveryTarget::notifier}) {
        CHECK(delivery_target_from_text(to_text(target)) == target);
    }
    CHECK(delivery_target_from_text("notifier ") == std::nullopt);
}

/// An adapter and a node for random runs: does what the actions say and keeps the books.
class Books {
public:
    explicit Books(Delivery& delivery) : delivery_(delivery) {}

    void enqueue(const MessagePtr& message) { take(delivery_.enqueue(message, now)); }

    void answer(bool good) {
        if (!open_) return;
        const auto number = open_->number;
        if (good) {
            for (const auto& message : open_->messages) {
                finish(message);
                saved_[message->room] = message->seq;
            }
        }
        open_.reset();
        take(delivery_.on_result(number, good ? Result<Done>(Done{}) : Result<Done>(broken), now));
    }

    void pass(Duration time) {
        now += time;
        take(delivery_.tick(now));
    }

    void drain() { take(delivery_.drain(now)); }

    TimePoint now = start;
    std::map<RoomId, Seq> progress;
    std::map<RoomId, std::multiset<Seq>> finished;  // Saved, or given up.

private:
    void take(const DeliveryActions& actions) {
        for (const auto& action : actions)
            std::visit([&](const auto& what) { note(what); }, action);
    }

    void note(const SaveBatch& batch) {
        RC_ASSERT(!open_);
        RC_ASSERT(!batch.messages.empty());
        std::map<RoomId, Seq> last;
        for (const auto& message : batch.messages) {
            RC_ASSERT(message->seq > last[message->room]);
            RC_ASSERT(message->seq > saved_[message->room]);
            last[message->room] = message->seq;
        }
        open_ = batch;
    }

    void note(const GiveUp& given_up) {
        for (const auto& message : given_up.messages)
            finish(message);
    }

    void note(const Archived& done) {
        for (const auto& [room, seq] : done.rooms) {
            RC_ASSERT(seq > progress[room]);
            progress[room] = seq;
            for (std::uint64_t place = 1; place <= seq.value; ++place)
                RC_ASSERT(finished[room].count(Seq{place}) == 1U);
        }
    }

    static void note(const Event& event) { RC_ASSERT(event.label == "persistence"); }

    void finish(const MessagePtr& message) { finished[message->room].insert(message->seq); }

    Delivery& delivery_;
    std::optional<SaveBatch> open_;
    std::map<RoomId, Seq> saved_;
};

TEST_CASE("every message ends exactly once, in order, whatever the adapter answers") {
    const bool held = rc::check([] {
        SeededEntropy entropy(*rc::gen::arbitrary<std::uint64_t>());
        Delivery delivery(
            {.batch_size = *rc::gen::inRange<std::size_t>(1, 6),
             .max_retries = *rc::gen::inRange<std::uint32_t>(0, 3),
             .queue_max = *rc::gen::inRange<std::size_t>(1, 20)},
            entropy);
        Books books(delivery);
        std::map<RoomId, std::uint64_t> last;
        for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 10))) {
            if (step < 5) {
                const auto& room = step < 2 ? lobby : kitchen;
                books.enqueue(test::message_ptr(room, ++last[room]));
            } else if (step < 8) {
                books.answer(step != 5);
            } else {
                books.pass(step == 8 ? Duration(10ms) : Duration(1s));
            }
            RC_ASSERT(delivery.size() < 20U);
        }
        books.drain();
        for (int turn = 0; turn < 1000 && !delivery.idle(); ++turn) {
            books.answer(turn % 3 == 0);
            if (const auto deadline = delivery.deadline())
                books.pass(std::max(*deadline - books.now, Duration(0)));
        }
        RC_ASSERT(delivery.idle());
        for (const auto& [room, seq] : last) {
            RC_ASSERT(books.finished[room].size() == seq);
            RC_ASSERT(books.progress[room] == Seq{seq});
        }
    });
    CHECK(held);
}

}  // namespace
}  // namespace chatx::engine
