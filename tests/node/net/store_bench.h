#pragma once

#include "node/net/store_worker.h"
#include "tests/support/memory_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node::test {

/// A worker over a store in memory, and what it answered.
class StoreBench {
public:
    using Fails = decltype(chatx::test::MemoryStore::fails);

    explicit StoreBench(Fails fails = {}, bool retry_appends = false) {
        store.fails = std::move(fails);
        worker.emplace(
            StoreWorker::Stores{
                .log = store,
                .archive = store,
                .dead_letters = store,
                .recent_max = 10,
                .retry_appends = retry_appends},
            [this](std::uint16_t shard, ShardMessage message) {
                const std::lock_guard lock(mutex_);
                answers_.emplace_back(shard, std::move(message));
                changed_.notify_all();
            },
            StoreWorker::Observer{
                .appended =
                    [this](Duration /*took*/, std::size_t entries) {
                        const std::lock_guard lock(mutex_);
                        groups.push_back(entries);
                    },
                .counted =
                    [this](StoreOperation operation) {
                        const std::lock_guard lock(mutex_);
                        ++errors[operation];
                    },
                .failed =
                    [this](StoreOperation operation, const Error& /*error*/) {
                        const std::lock_guard lock(mutex_);
                        failures.emplace_back(to_text(operation));
                    },
                .log_backlog =
                    [this](std::uint16_t shard, std::int64_t change) {
                        const std::lock_guard lock(mutex_);
                        backlog[shard] += change;
                    },
                .dead_letters =
                    [this](std::int64_t change) {
                        const std::lock_guard lock(mutex_);
                        letters += change;
                    },
                .down = [this](const Error& error) { turn("down: " + error.detail); },
                .up = [this] { turn("up"); }});
    }

    StoreBench(const StoreBench&) = delete;
    StoreBench& operator=(const StoreBench&) = delete;

    ~StoreBench() { worker.reset(); }  // It answers until it has ended.

    /// The oldest answer of a kind. Waits for it.
    template <class What>
    std::pair<std::uint16_t, What> answer() {
        std::unique_lock lock(mutex_);
        auto found = answers_.end();
        const bool came = changed_.wait_for(lock, std::chrono::seconds(10), [&] {
            found = std::find_if(answers_.begin(), answers_.end(), [](const auto& answer) {
                return std::holds_alternative<What>(answer.second);
            });
            return found != answers_.end();
        });
        REQUIRE(came);
        auto [shard, message] = std::move(*found);
        answers_.erase(found);
        return {shard, std::get<What>(std::move(message))};
    }

    /// Waits until the log was told to be down or up so often, and returns what was said.
    std::vector<std::string> turns(std::size_t count) {
        std::unique_lock lock(mutex_);
        REQUIRE(changed_.wait_for(
            lock, std::chrono::seconds(10), [&] { return turns_.size() >= count; }));
        return turns_;
    }

    /// Holds the writer up, so that what is handed over meanwhile comes to it together.
    std::shared_ptr<std::latch> pause_writer() {
        auto reached = std::make_shared<std::latch>(1);
        auto go = std::make_shared<std::latch>(1);
        worker->on_writer([reached, go] {
            reached->count_down();
            go->wait();
        });
        reached->wait();
        return go;
    }

    chatx::test::MemoryStore store;
    std::vector<std::size_t> groups;
    std::vector<std::string> failures;
    std::map<StoreOperation, int> errors;
    std::map<std::uint16_t, std::int64_t> backlog;
    std::int64_t letters = 0;
    std::optional<StoreWorker> worker;

private:
    void turn(std::string what) {
        const std::lock_guard lock(mutex_);
        turns_.push_back(std::move(what));
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::uint16_t, ShardMessage>> answers_;
    std::vector<std::string> turns_;
};

inline Error broken() {
    return Error{Reason::adapter_error, "broken", {}};
}

}  // namespace chatx::node::test
