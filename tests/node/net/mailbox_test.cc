#include "node/net/mailbox.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

namespace chatx::node {

TEST_CASE("a mailbox asks for one wake-up for each batch") {
    Mailbox<int> mailbox;
    CHECK(mailbox.push(1));
    CHECK_FALSE(mailbox.push(2));
    std::vector<int> items;
    mailbox.take(items);
    CHECK(items == std::vector{1, 2});
    items.clear();
    CHECK(mailbox.push(3));
    mailbox.take(items);
    CHECK(items == std::vector{3});
    items.clear();
    mailbox.take(items);
    CHECK(items.empty());
}

TEST_CASE("several items come in together and in order, and wake the receiver as one does") {
    Mailbox<int> mailbox;
    std::vector<int> items;
    CHECK_FALSE(mailbox.push_all(items));
    items = {1, 2};
    CHECK(mailbox.push_all(items));
    CHECK(items.empty());
    items = {3, 4};
    CHECK_FALSE(mailbox.push_all(items));
    CHECK(items.empty());
    CHECK_FALSE(mailbox.push(5));
    mailbox.take(items);
    CHECK(items == std::vector{1, 2, 3, 4, 5});
}

TEST_CASE("each sender's items keep their order, and each batch has woken the receiver") {
    constexpr std::size_t senders = 4;
    constexpr std::size_t items_each = 5000;
    Mailbox<std::pair<std::size_t, std::size_t>> mailbox;
    std::atomic<std::size_t> wake_ups = 0;
    std::vector<std::thread> threads;
    for (std::size_t sender = 0; sender < senders; ++sender) {
        threads.emplace_back([&, sender] {
            for (std::size_t i = 0; i < items_each; ++i) {
                if (mailbox.push({sender, i})) ++wake_ups;
            }
        });
    }

    std::vector<std::size_t> next(senders, 0);
    std::size_t received = 0;
    std::size_t batches = 0;
    bool in_order = true;
    std::vector<std::pair<std::size_t, std::size_t>> items;
    while (received < senders * items_each) {
        mailbox.take(items);
        if (!items.empty()) ++batches;
        for (const auto& [sender, i] : items)
            in_order = in_order && i == next.at(sender)++;
        received += items.size();
        items.clear();
        std::this_thread::yield();
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK(in_order);
    CHECK(received == senders * items_each);
    CHECK(wake_ups == batches);
}

}  // namespace chatx::node
