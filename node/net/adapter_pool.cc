#include "node/net/adapter_pool.h"

#include "node/net/clock.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace chatx::node {

struct AdapterPool::Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Call> calls;
    bool closed = false;
    std::size_t working = 0;  // Threads that have not ended.

    std::shared_mutex answering;  // Held together by those who answer, alone by who forbids it.
    bool given_up = false;
};

AdapterPool::AdapterPool(Options options)
    : queue_max_(options.queue_max), shared_(std::make_shared<Shared>()) {
    shared_->working = options.threads;
    for (std::size_t i = 0; i < options.threads; ++i)
        threads_.emplace_back([shared = shared_] { work(*shared); });
}

AdapterPool::~AdapterPool() {
    stop(monotonic_now() + stop_patience);
}

bool AdapterPool::submit(Call call) {
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->closed || shared_->calls.size() >= queue_max_) return false;
        shared_->calls.push_back(std::move(call));
    }
    shared_->changed.notify_one();
    return true;
}

void AdapterPool::close() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->closed = true;
        shared_->calls.clear();
    }
    shared_->changed.notify_all();
}

std::size_t AdapterPool::stop(TimePoint until) {
    close();
    std::size_t working = 0;
    {
        std::unique_lock lock(shared_->mutex);
        if (!threads_.empty())
            shared_->changed.wait_for(
                lock, until - monotonic_now(), [this] { return shared_->working == 0; });
        working = shared_->working;
    }
    {
        const std::lock_guard lock(shared_->answering);
        shared_->given_up = true;
    }
    for (std::thread& thread : threads_) {
        if (working == 0) {
            thread.join();
        } else {
            thread.detach();
        }
    }
    threads_.clear();
    return working;
}

void AdapterPool::work(Shared& shared) {
    std::unique_lock lock(shared.mutex);
    while (true) {
        shared.changed.wait(lock, [&] { return shared.closed || !shared.calls.empty(); });
        if (shared.closed) break;
        Call call = std::move(shared.calls.front());
        shared.calls.pop_front();
        lock.unlock();
        make(shared, std::move(call));
        lock.lock();
    }
    --shared.working;
    shared.changed.notify_all();
}

void AdapterPool::make(Shared& shared, Call call) {
    const bool late = monotonic_now() >= call.answer_by;
    const Answer answer = late ? std::move(call.dropped) : call.ask();
    const std::shared_lock lock(shared.answering);
    if (!shared.given_up) answer();
}

AdapterPools::AdapterPools(const engine::Chain& chain, const AdapterPool::Options& options) {
    for (const engine::Stage& stage : chain.stages()) {
        if (stage.external()) pools_.emplace(stage.name, std::make_unique<AdapterPool>(options));
    }
}

AdapterPools::~AdapterPools() {
    stop();
}

bool AdapterPools::submit(std::string_view adapter, AdapterPool::Call call) const {
    const auto pool = pools_.find(adapter);
    return pool != pools_.end() && pool->second->submit(std::move(call));
}

std::vector<std::string> AdapterPools::stop() {
    for (const auto& [adapter, pool] : pools_)
        pool->close();
    const TimePoint until = monotonic_now() + AdapterPool::stop_patience;
    std::vector<std::string> hanging;
    for (const auto& [adapter, pool] : pools_) {
        if (pool->stop(until) > 0) hanging.push_back(adapter);
    }
    return hanging;
}

}  // namespace chatx::node
