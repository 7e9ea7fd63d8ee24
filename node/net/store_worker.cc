#include "node/net/store_worker.h"

#include "node/net/clock.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace chatx::node {

namespace {

/// Most entries in one transaction: what a reply waits for stays short, and so does the write-ahead
/// log.
constexpr std::size_t group_max = 4096;

constexpr auto renew_pause = std::chrono::milliseconds(250);

/// What a store threw, as any other failure of it.
template <class Call>
auto contained(Call&& call) -> decltype(call()) {
    try {
        return call();
    } catch (const std::exception& exception) {
        return Error{Reason::adapter_error, exception.what(), std::nullopt};
    } catch (...) {
        return Error{
            Reason::adapter_error, "the store threw something that is no exception", std::nullopt};
    }
}

}  // namespace

StoreWorker::StoreWorker(Stores stores, Reply reply, Observer observer)
    : log_(stores.log),
      archive_(stores.archive),
      dead_letters_(stores.dead_letters),
      recent_max_(stores.recent_max),
      reply_(std::move(reply)),
      observer_(std::move(observer)),
      writer_([this] { write_loop(); }),
      reader_([this] { read_loop(); }) {}

StoreWorker::~StoreWorker() {
    stop();
}

void StoreWorker::append(std::uint16_t shard, MessagePtr message) {
    {
        const std::lock_guard lock(mutex_);
        appends_.push_back({shard, std::move(message)});
    }
    write_changed_.notify_one();
}

void StoreWorker::save(std::uint16_t shard, SaveBatch batch) {
    on_writer([this, shard, batch = std::move(batch)] {
        auto result = contained([&] { return archive_.save(batch.messages); });
        if (!result) observer_.failed("saving history", result.error());
        reply_(shard, BatchSaved{batch.number, std::move(result)});
    });
}

void StoreWorker::truncate(const TruncateLog& archived) {
    const std::lock_guard lock(mutex_);
    for (const auto& [room, seq] : archived.rooms)
        archived_.push_back({room, seq});
    // Nobody waits for it: it is done when the writer comes round for something else, or at the
    // end.
}

void StoreWorker::keep(GiveUp letters) {
    on_writer([this, letters = std::move(letters)] {
        std::vector<DeadLetter> dead;
        for (const MessagePtr& message : letters.messages) {
            dead.push_back(
                {.id = 0,
                 .target = engine::DeliveryTarget::persistence,
                 .user = std::nullopt,
                 .message = message,
                 .error = std::string(to_text(letters.error.reason)) + ": " + letters.error.detail,
                 .attempts = letters.attempts,
                 .failed_at = wall_now()});
        }
        const auto result = contained([&] { return dead_letters_.add(dead); });
        if (!result) observer_.failed("keeping dead letters", result.error());
        if (result && *result < dead.size()) {
            observer_.failed(
                "keeping dead letters",
                Error{Reason::queue_overflow, "the dead-letter store is full", {}});
        }
    });
}

void StoreWorker::open(std::uint16_t shard, OpenRoom request) {
    on_reader([this, shard, room = std::move(request.room)] {
        auto stored = contained([&] { return log_.open_room(room, recent_max_); });
        if (stored)
            return reply_(shard, RoomOpened{room, std::move(stored->state), stored->archived});
        observer_.failed("opening a room", stored.error());
        reply_(shard, RoomOpened{room, stored.error(), {}});
    });
}

void StoreWorker::read(std::uint16_t shard, ReadArchive request) {
    on_reader([this, shard, request = std::move(request)] {
        auto page = contained([&] { return archive_.load(request.room, request.range); });
        if (!page) observer_.failed("reading history", page.error());
        reply_(shard, ArchiveRead{request.room, request.ticket, std::move(page)});
    });
}

void StoreWorker::on_writer(Job job) {
    {
        const std::lock_guard lock(mutex_);
        write_jobs_.push_back(std::move(job));
    }
    write_changed_.notify_one();
}

void StoreWorker::on_reader(Job job) {
    {
        const std::lock_guard lock(mutex_);
        read_jobs_.push_back(std::move(job));
    }
    read_changed_.notify_one();
}

void StoreWorker::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    write_changed_.notify_one();
    read_changed_.notify_one();
    if (writer_.joinable()) writer_.join();
    if (reader_.joinable()) reader_.join();
}

void StoreWorker::write_loop() {
    while (true) {
        std::vector<Append> appends;
        std::deque<Job> jobs;
        bool last = false;
        {
            std::unique_lock lock(mutex_);
            const auto ready = [this] {
                return stopping_ || !appends_.empty() || !write_jobs_.empty();
            };
            if (failed_.empty()) {
                write_changed_.wait(lock, ready);
            } else {
                write_changed_.wait_for(lock, renew_pause, ready);
            }
            appends.swap(appends_);
            jobs.swap(write_jobs_);
            last = stopping_ && appends.empty() && jobs.empty();
        }
        commit(std::move(appends));
        for (const Job& job : jobs)
            job();
        if (!jobs.empty() || last) forget_archived();
        if (!failed_.empty()) renew_epochs();
        if (last) return;
    }
}

void StoreWorker::read_loop() {
    while (true) {
        Job job;
        {
            std::unique_lock lock(mutex_);
            read_changed_.wait(lock, [this] { return stopping_ || !read_jobs_.empty(); });
            if (read_jobs_.empty()) return;
            job = std::move(read_jobs_.front());
            read_jobs_.pop_front();
        }
        job();
    }
}

void StoreWorker::commit(std::vector<Append> appends) {
    // A room that waits for a new epoch cannot go on under the old one.
    const auto doomed =
        std::stable_partition(appends.begin(), appends.end(), [this](const Append& append) {
            return failed_.find(append.message->room) == failed_.end();
        });
    for (auto append = doomed; append != appends.end(); ++append)
        fail(append->message->room, {append->shard, 1});
    appends.erase(doomed, appends.end());

    std::span<const Append> rest = appends;
    while (!rest.empty()) {
        const auto group = rest.first(std::min(rest.size(), group_max));
        rest = rest.subspan(group.size());
        if (!commit_group(group)) commit_by_room(group);
    }
}

bool StoreWorker::commit_group(std::span<const Append> group) {
    std::vector<MessagePtr> messages;
    messages.reserve(group.size());
    std::transform(group.begin(), group.end(), std::back_inserter(messages), [](const Append& a) {
        return a.message;
    });

    const TimePoint started = monotonic_now();
    const auto result = contained([&] { return log_.append(messages); });
    if (!result) {
        observer_.failed("appending to the log", result.error());
        return false;
    }
    observer_.appended(monotonic_now() - started, messages.size());

    std::map<std::uint16_t, Committed> by_shard;
    for (const Append& append : group)
        by_shard[append.shard].messages.push_back(append.message);
    for (auto& [shard, committed] : by_shard)
        reply_(shard, std::move(committed));
    return true;
}

// One room's trouble is not that of the others.
void StoreWorker::commit_by_room(std::span<const Append> group) {
    std::map<RoomId, std::vector<Append>> by_room;
    for (const Append& append : group)
        by_room[append.message->room].push_back(append);
    for (const auto& [room, appends] : by_room) {
        const bool alone = by_room.size() == 1;  // Then this very batch has just failed.
        if (alone || !commit_group(appends)) fail(room, {appends.front().shard, appends.size()});
    }
}

void StoreWorker::fail(const RoomId& room, FailedRoom failure) {
    FailedRoom& total = failed_[room];
    total.shard = failure.shard;
    total.entries += failure.entries;
}

void StoreWorker::renew_epochs() {
    const auto epoch = contained([&] { return log_.begin_epoch(wall_now()); });
    if (!epoch) return observer_.failed("beginning an epoch", epoch.error());
    for (const auto& [room, failure] : failed_)
        reply_(failure.shard, AppendFailed{room, *epoch, failure.entries});
    failed_.clear();
}

void StoreWorker::forget_archived() {
    std::vector<LogPosition> archived;
    {
        const std::lock_guard lock(mutex_);
        archived.swap(archived_);
    }
    if (archived.empty()) return;
    const auto result = contained([&] { return log_.truncate(archived); });
    if (!result) observer_.failed("truncating the log", result.error());
}

}  // namespace chatx::node
