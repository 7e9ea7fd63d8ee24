#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace chatx::node {

/// Threads on which adapters may block. Calls that find the queue full are refused at once, so that
/// adapters that hang cost their callers no more than a deadline, and memory nothing.
class AdapterPool {
public:
    struct Options {
        std::size_t threads = 4;
        std::size_t queue_max = 1024;  // Calls that wait for a thread.
    };

    /// A call. Must not throw: whoever makes it contains what the adapter throws.
    using Call = std::function<void()>;

    explicit AdapterPool(Options options);
    AdapterPool(const AdapterPool&) = delete;
    AdapterPool& operator=(const AdapterPool&) = delete;
    ~AdapterPool();

    /// Runs a call on one of the threads. False when the queue is full or the pool stops. Any
    /// thread.
    [[nodiscard]] bool submit(Call call);

    /// Drops what waits and waits for the calls that run.
    void stop();

private:
    void work();

    Options options_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Call> calls_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace chatx::node
