#include "node/net/adapter_pool.h"

#include <utility>

namespace chatx::node {

AdapterPool::AdapterPool(Options options) : options_(options) {
    for (std::size_t i = 0; i < options_.threads; ++i)
        threads_.emplace_back([this] { work(); });
}

AdapterPool::~AdapterPool() {
    stop();
}

bool AdapterPool::submit(Call call) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || calls_.size() >= options_.queue_max) return false;
        calls_.push_back(std::move(call));
    }
    changed_.notify_one();
    return true;
}

void AdapterPool::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        calls_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
}

void AdapterPool::work() {
    while (true) {
        Call call;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
            if (stopping_) return;
            call = std::move(calls_.front());
            calls_.pop_front();
        }
        call();
    }
}

}  // namespace chatx::node
