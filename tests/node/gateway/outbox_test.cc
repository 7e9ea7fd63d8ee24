#include "node/gateway/outbox.h"

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;

constexpr auto start = TimePoint(1h);

struct Owner final : OutboxOwner {
    void on_outbox_filled() override { ++filled; }

    int filled = 0;
};

struct Bench {
    explicit Bench(std::size_t bytes_max) : limits{.bytes_max = bytes_max, .age_max = 10s} {
        outbox.emplace(limits, pool, owner);
    }

    Outbox::Limits limits;
    BufferPool pool;
    Owner owner;
    std::optional<Outbox> outbox;
};

std::string bytes(std::size_t count) {
    return std::string(count, 'x');
}

}  // namespace

TEST_CASE("an outbox takes bytes up to its bound and not one more") {
    for (const auto& [size, fits] :
         {std::pair<std::size_t, bool>{99, true}, {100, true}, {101, false}}) {
        Bench bench(100);
        bench.outbox->append(bytes(size));
        CHECK(bench.outbox->overflowed() == !fits);
        CHECK(bench.outbox->size() == (fits ? size : 0));
    }
}

TEST_CASE("a burst above the bound overflows only when the socket does not take it") {
    struct Sender final : OutboxOwner {
        void on_outbox_filled() override {}

        void on_outbox_full() override {
            if (takes) outbox->sent(outbox->size(), start);
        }

        Outbox* outbox = nullptr;
        bool takes = true;
    };

    const Outbox::Limits limits{.bytes_max = 100, .age_max = 10s};
    BufferPool pool;
    Sender sender;
    Outbox outbox(limits, pool, sender);
    sender.outbox = &outbox;
    for (int i = 0; i < 10; ++i)
        outbox.append(bytes(60));
    CHECK_FALSE(outbox.overflowed());
    CHECK(outbox.size() == 60);
    outbox.buffer().append(bytes(60));
    outbox.check();
    CHECK_FALSE(outbox.overflowed());
    CHECK(outbox.empty());

    sender.takes = false;
    outbox.append(bytes(60));
    outbox.append(bytes(60));
    CHECK(outbox.overflowed());
}

TEST_CASE("the bound counts what waits, not what was sent") {
    Bench bench(100);
    for (int i = 0; i < 50; ++i) {
        bench.outbox->append(bytes(60));
        bench.outbox->sent(50, start);
        bench.outbox->append(bytes(40));
        CHECK(bench.outbox->size() == 50);
        bench.outbox->sent(50, start);
    }
    CHECK_FALSE(bench.outbox->overflowed());
}

TEST_CASE(
    "once it overflowed an outbox takes nothing more, so that no frame is missing in the middle") {
    Bench bench(10);
    bench.outbox->append("12345678");
    bench.outbox->append("too long");
    bench.outbox->append("9");
    CHECK(bench.outbox->pending() == "12345678");
    bench.outbox->sent(8, start);
    bench.outbox->append("9");
    CHECK(bench.outbox->empty());
    CHECK(bench.outbox->overflowed());
}

TEST_CASE("a frame encoded in place is checked afterwards") {
    for (const auto& [size, fits] : {std::pair<std::size_t, bool>{100, true}, {101, false}}) {
        Bench bench(100);
        bench.outbox->buffer() += bytes(size);
        bench.outbox->check();
        CHECK(bench.outbox->overflowed() == !fits);
    }
}

TEST_CASE("the owner is told once when the outbox fills and again when it was empty in between") {
    Bench bench(100);
    bench.outbox->append("one");
    bench.outbox->append("two");
    CHECK(bench.owner.filled == 1);
    bench.outbox->sent(6, start);
    bench.outbox->append("three");
    CHECK(bench.owner.filled == 2);
}

TEST_CASE("bytes come out in the order they went in, however they are sent") {
    for (std::size_t piece = 1; piece < 40; ++piece) {
        Bench bench(1000);
        std::string said;
        std::string heard;
        for (int i = 0; i < 20; ++i) {
            const std::string frame = "frame " + std::to_string(i) + ";";
            said += frame;
            bench.outbox->append(frame);
            const auto next = bench.outbox->pending().substr(0, piece);
            heard += next;
            bench.outbox->sent(next.size(), start);
        }
        heard += bench.outbox->pending();
        CHECK(heard == said);
    }
}

TEST_CASE("bytes that wait for longer than the bound are too old") {
    Bench bench(100);
    bench.outbox->append("slow");
    CHECK_FALSE(bench.outbox->too_old(start + 1h));  // Nobody tried to send it yet.
    bench.outbox->blocked(start);
    CHECK_FALSE(bench.outbox->too_old(start + 10s));
    CHECK(bench.outbox->too_old(start + 10s + 1ns));
}

TEST_CASE("a slow reader that goes on reading is never too old") {
    Bench bench(1000);
    TimePoint now = start;
    for (int i = 0; i < 100; ++i) {
        bench.outbox->append(bytes(10));
        bench.outbox->blocked(now);
        now += 6s;
        CHECK_FALSE(bench.outbox->too_old(now));
        bench.outbox->sent(std::min<std::size_t>(bench.outbox->size(), 10), now);
    }
}

TEST_CASE("a reader that takes less than what comes is told too old within twice the bound") {
    Bench bench(1 << 20);
    TimePoint now = start;
    bench.outbox->append(bytes(1000));
    bench.outbox->blocked(now);
    while (!bench.outbox->too_old(now) && now < start + 1min) {
        now += 1s;
        bench.outbox->append(bytes(1000));
        bench.outbox->sent(10, now);
        bench.outbox->blocked(now);
    }
    CHECK(now - start <= 20s);
}

TEST_CASE("clearing throws away what waits, however little it is") {
    for (const std::size_t size : {1, 15, 16, 99}) {
        Bench bench(100);
        bench.outbox->append(bytes(size));
        bench.outbox->blocked(start);
        bench.outbox->clear();
        CHECK(bench.outbox->empty());
        CHECK(bench.outbox->pending().empty());
        CHECK_FALSE(bench.outbox->too_old(start + 1h));
        bench.outbox->append("next");
        CHECK(bench.outbox->pending() == "next");
    }
}

TEST_CASE("an empty outbox has given its buffer back and the next one borrows it") {
    BufferPool pool;
    Owner owner;
    const Outbox::Limits limits;
    Outbox first(limits, pool, owner);
    first.append(bytes(1000));
    const char* const memory = first.pending().data();
    first.sent(1000, start);
    Outbox second(limits, pool, owner);
    second.append(bytes(10));
    CHECK(second.pending().data() == memory);
}

TEST_CASE("a pool keeps no buffer beyond its size, and no more than its count") {
    BufferPool pool;
    pool.give_back(std::string(BufferPool::buffer_bytes_max + 1, 'x'));
    CHECK(pool.take().capacity() <= std::string().capacity());

    for (std::size_t i = 0; i < BufferPool::buffers_max + 1; ++i)
        pool.give_back(bytes(100));
    for (std::size_t i = 0; i < BufferPool::buffers_max; ++i) {
        const std::string buffer = pool.take();
        CHECK(buffer.empty());
        CHECK(buffer.capacity() >= 100);
    }
    CHECK(pool.take().capacity() <= std::string().capacity());
}

}  // namespace chatx::node
