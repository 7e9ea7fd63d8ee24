#pragma once

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace chatx::node {

/// A queue from many threads to one loop: a lock held for one push, and one wake-up for each batch.
/// The order of one sender's items is kept. Its length is bounded by its senders: each item
/// answers, or is limited like, a request that is counted somewhere.
template <class Item>
class Mailbox {
public:
    /// Adds an item. True when the receiver must be woken: the mailbox was empty.
    [[nodiscard]] bool push(Item item) {
        const std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
        return items_.size() == 1;
    }

    /// Adds several items, in their order, so that the receiver sees all of them at once; `items`
    /// is empty then. True as above.
    [[nodiscard]] bool push_all(std::vector<Item>& items) {
        if (items.empty()) return false;
        const std::lock_guard lock(mutex_);
        const bool was_empty = items_.empty();
        if (was_empty) {
            items_.swap(items);
        } else {
            std::move(items.begin(), items.end(), std::back_inserter(items_));
            items.clear();
        }
        return was_empty;
    }

    /// Moves everything into `items`, which must be empty; its room is used for what comes next.
    void take(std::vector<Item>& items) {
        const std::lock_guard lock(mutex_);
        items_.swap(items);
    }

private:
    std::mutex mutex_;
    std::vector<Item> items_;
};

}  // namespace chatx::node
