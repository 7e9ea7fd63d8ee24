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
      retries_(stores.retries),
      retry_appends_(stores.retry_appends),
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
        if (!result) write_failed("saving history", result.error());
        reply_(shard, BatchSaved{batch.number, std::move(result)});
    });
}

void StoreWorker::truncate(const TruncateLog& archived) {
    // A job like any other: what became of these messages is on disk before the log forgets them.
    on_writer([this, rooms = archived.rooms] {
        for (const auto& [room, seq] : rooms)
            archived_.push_back({room, seq});
    });
}

void StoreWorker::keep(GiveUp letters) {
    on_writer([this, letters = std::move(letters)] { keep_letters(letters); });
}

void StoreWorker::open(std::uint16_t shard, OpenRoom request) {
    const auto job = [this, shard, room = std::move(request.room)] {
        auto stored = contained(
            [&] { return open_room_with_sends(log_, room, recent_max_, retries_, wall_now()); });
        if (stored)
            return reply_(shard, RoomOpened{room, std::move(stored->state), stored->archived});
        observer_.failed("opening a room", stored.error());
        reply_(shard, RoomOpened{room, stored.error(), {}});
    };
    {
        const std::lock_guard lock(mutex_);
        open_jobs_.push_back(job);
    }
    read_changed_.notify_one();
}

void StoreWorker::read(std::uint16_t shard, ReadArchive request) {
    if (reads_full()) {
        return reply_(
            shard,
            ArchiveRead{
                request.room, request.ticket, Error{Reason::queue_overflow, "too many reads", {}}});
    }
    on_reader([this, shard, request = std::move(request)] {
        auto page = contained([&] { return archive_.load(request.room, request.range); });
        if (!page) observer_.failed("reading history", page.error());
        reply_(shard, ArchiveRead{request.room, request.ticket, std::move(page)});
    });
}

bool StoreWorker::reads_full() {
    const std::lock_guard lock(mutex_);
    return read_jobs_.size() >= reads_max;
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
        forget_archived();
        if (!failed_.empty()) recover();
        tell_failures();
        if (last) return;
    }
}

void StoreWorker::read_loop() {
    while (true) {
        Job job;
        {
            std::unique_lock lock(mutex_);
            read_changed_.wait(
                lock, [this] { return stopping_ || !open_jobs_.empty() || !read_jobs_.empty(); });
            // A room that is being opened keeps many waiting, a page of history one.
            std::deque<Job>& jobs = open_jobs_.empty() ? read_jobs_ : open_jobs_;
            if (jobs.empty()) return;
            job = std::move(jobs.front());
            jobs.pop_front();
        }
        job();
    }
}

void StoreWorker::commit(std::vector<Append> appends) {
    // Behind an entry that was not stored no other of its room can be.
    const auto behind =
        std::stable_partition(appends.begin(), appends.end(), [this](const Append& append) {
            return failed_.find(append.message->room) == failed_.end();
        });
    for (auto append = behind; append != appends.end(); ++append)
        failed_[append->message->room].push_back(*append);
    appends.erase(behind, appends.end());

    std::span<const Append> rest = appends;
    while (!rest.empty()) {
        const auto group = rest.first(std::min(rest.size(), group_max));
        rest = rest.subspan(group.size());
        if (const auto stored = commit_group(group); !stored) commit_by_room(group, stored.error());
    }
}

Result<Done> StoreWorker::commit_group(std::span<const Append> group) {
    std::vector<MessagePtr> messages;
    messages.reserve(group.size());
    std::transform(group.begin(), group.end(), std::back_inserter(messages), [](const Append& a) {
        return a.message;
    });

    const TimePoint started = monotonic_now();
    auto result = contained([&] { return log_.append(messages); });
    if (!result) return result;
    observer_.appended(monotonic_now() - started, messages.size());

    std::map<std::uint16_t, Committed> by_shard;
    for (const Append& append : group)
        by_shard[append.shard].messages.push_back(append.message);
    for (auto& [shard, committed] : by_shard)
        reply_(shard, std::move(committed));
    return Done{};
}

// One room's trouble is not that of the others.
void StoreWorker::commit_by_room(std::span<const Append> group, const Error& trouble) {
    std::map<RoomId, std::vector<Append>> by_room;
    for (const Append& append : group)
        by_room[append.message->room].push_back(append);
    for (const auto& [room, appends] : by_room) {
        const bool alone = by_room.size() == 1;  // Then this very batch has just failed.
        const auto stored = alone ? Result<Done>(trouble) : commit_group(appends);
        if (stored) continue;
        write_failed("appending to the log", stored.error());
        failed_[room] = appends;
    }
}

void StoreWorker::recover() {
    if (retry_appends_) {
        retry_appends();
    } else {
        renew_epochs();
    }
}

// Entries that do not follow are a room's own trouble: the log takes those of others.
void StoreWorker::retry_appends() {
    std::optional<Error> trouble;
    std::erase_if(failed_, [&](const auto& failed) {
        const auto stored = commit_group(failed.second);
        if (!stored && stored.error().reason != Reason::room_unavailable) trouble = stored.error();
        return stored.has_value();
    });
    set_down(trouble);
}

void StoreWorker::renew_epochs() {
    const auto epoch = contained([&] { return log_.begin_epoch(wall_now()); });
    if (!epoch) return set_down(epoch.error());
    set_down(std::nullopt);
    for (const auto& [room, appends] : failed_) {
        reply_(appends.front().shard, AppendFailed{room, *epoch, appends.size()});
    }
    failed_.clear();
}

void StoreWorker::set_down(const std::optional<Error>& trouble) {
    if (trouble.has_value() == std::exchange(down_, trouble.has_value())) return;
    if (trouble) {
        observer_.down(*trouble);
    } else {
        observer_.up();
    }
}

void StoreWorker::write_failed(std::string_view what, const Error& error) {
    const bool known = std::ranges::any_of(failures_, [&](const auto& failure) {
        return failure.first == what && failure.second.detail == error.detail;
    });
    if (!known) failures_.emplace_back(what, error);
}

// At the end of a turn it is known which of them follow from the log being down.
void StoreWorker::tell_failures() {
    for (const auto& [what, error] : std::exchange(failures_, {})) {
        if (!down_) observer_.failed(what, error);
    }
}

void StoreWorker::keep_letters(const GiveUp& letters) {
    std::vector<DeadLetter> dead;
    dead.reserve(letters.messages.size());
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
    auto kept = contained([&] { return dead_letters_.add(dead); });
    if (kept && *kept < dead.size())
        kept = Error{Reason::queue_overflow, "the dead-letter store is full", {}};
    if (kept) return;
    write_failed("keeping dead letters", kept.error());
    // Some may be kept; the log then has them too, and the next start tries again.
    for (const MessagePtr& message : letters.messages)
        unkept_.try_emplace(message->room, message->seq);
}

void StoreWorker::forget_archived() {
    std::vector<LogPosition> archived;
    archived.swap(archived_);
    for (LogPosition& position : archived) {
        const auto unkept = unkept_.find(position.room);
        if (unkept != unkept_.end())
            position.seq = std::min(position.seq, Seq{unkept->second.value - 1});
    }
    if (archived.empty()) return;
    const auto result = contained([&] { return log_.truncate(archived); });
    if (!result) write_failed("truncating the log", result.error());
}

}  // namespace chatx::node
