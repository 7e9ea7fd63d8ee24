#pragma once

#include <chatx/time.h>

#include "engine/middleware.h"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace chatx::node {

/// Threads on which one adapter may block. Calls that find the queue full are refused at once, and
/// those that nobody waits for any more are never made, so that an adapter that hangs costs its
/// callers no more than a deadline, and memory nothing.
class AdapterPool {
public:
    struct Options {
        std::size_t threads = 4;       // Calls at the same time.
        std::size_t queue_max = 1024;  // Calls that wait for a thread.
    };

    /// What is to be done about an answer. Once the pool has given its threads up it is not run any
    /// more, so it may refer to all that lives until the pool's end.
    using Answer = std::function<void()>;

    struct Call {
        TimePoint answer_by;          // Whoever asked waits no longer.
        std::function<Answer()> ask;  // Calls the adapter. Owns what it needs beside it; must not
                                      // throw.
        Answer dropped;               // In place of all this, when a thread is free too late.
    };

    explicit AdapterPool(Options options);
    AdapterPool(const AdapterPool&) = delete;
    AdapterPool& operator=(const AdapterPool&) = delete;

    /// Stops, and waits up to `stop_patience`.
    ~AdapterPool();

    static constexpr Duration stop_patience = std::chrono::seconds(2);

    /// Runs a call on one of the threads. False when the queue is full or the pool is closed. Any
    /// thread.
    [[nodiscard]] bool submit(Call call);

    /// From now on refuses every call, and drops those that wait. Any thread.
    void close();

    /// Closes and waits for the calls that run, until this time. Returns how many go on: their
    /// threads are given up, and touch nothing but the adapter and what is their own.
    std::size_t stop(TimePoint until);

private:
    struct Shared;

    static void work(Shared& shared);
    static void make(Shared& shared, Call call);

    std::size_t queue_max_;
    std::shared_ptr<Shared> shared_;  // With the threads, which may outlive the pool.
    std::vector<std::thread> threads_;
};

/// A pool for each adapter that is there, so that one that hangs keeps nobody waiting but those who
/// ask it.
class AdapterPools {
public:
    /// For the adapters of a chain. The names are those of its stages.
    AdapterPools(const engine::Chain& chain, const AdapterPool::Options& options);
    AdapterPools(const AdapterPools&) = delete;
    AdapterPools& operator=(const AdapterPools&) = delete;
    ~AdapterPools();

    /// Hands a call to the pool of an adapter. False when it takes none, or there is no such pool.
    /// Any thread.
    [[nodiscard]] bool submit(std::string_view adapter, AdapterPool::Call call) const;

    /// Stops all of them, within `AdapterPool::stop_patience`. Returns the adapters of which a call
    /// goes on: as long as the process lives they may not be destroyed.
    std::vector<std::string> stop();

private:
    std::map<std::string, std::unique_ptr<AdapterPool>, std::less<>> pools_;
};

}  // namespace chatx::node
