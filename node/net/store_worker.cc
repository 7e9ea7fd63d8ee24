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

constexpr auto retry_pause = std::chrono::milliseconds(250);

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
    observer_.log_backlog(shard, 1);
    {
        const std::lock_guard lock(mutex_);
        appends_.push_back({shard, std::move(message)});
    }
    write_changed_.notify_one();
}

void StoreWorker::save(std::uint16_t shard, SaveBatch batch) {
    write([this, shard, batch = std::move(batch)] {
        auto result = contained([&] { return archive_.save(batch.messages); });
        if (!result) write_failed(StoreOperation::save, result.error());
        reply_(shard, BatchSaved{batch.number, std::move(result)});
    });
}

void StoreWorker::truncate(const TruncateLog& archived) {
    // A job like any other: what became of these messages is on disk before the log forgets them.
    write([this, archived] { note_archived(archived); });
}

void StoreWorker::keep(GiveUp letters) {
    write([this, letters = std::move(letters)] { keep_letters(letters); });
}

void StoreWorker::open(std::uint16_t shard, OpenRoom request) {
    {
        const std::lock_guard lock(mutex_);
        Opening opening{shard, request.room};
        const auto waiting = opening_attempts_.find(opening);
        if (waiting != opening_attempts_.end()) {
            waiting->second = request.attempt;
            return;
        }
        if (openings_.size() < openings_max) {
            opening_attempts_.emplace(opening, request.attempt);
            openings_.push_back(std::move(opening));
            return read_changed_.notify_one();
        }
    }
    reply_(
        shard,
        RoomOpened{
            std::move(request.room),
            Error{Reason::queue_overflow, "too many rooms to open", {}},
            {},
            request.attempt});
}

void StoreWorker::open_now(std::uint16_t shard, const OpenRoom& request) {
    auto stored = contained([&] {
        return open_room_with_sends(log_, request.room, recent_max_, retries_, wall_now());
    });
    if (stored) {
        return reply_(
            shard,
            RoomOpened{request.room, std::move(stored->state), stored->archived, request.attempt});
    }
    note_failure(StoreOperation::open, stored.error());
    reply_(shard, RoomOpened{request.room, stored.error(), {}, request.attempt});
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
        if (!page) note_failure(StoreOperation::read, page.error());
        reply_(shard, ArchiveRead{request.room, request.ticket, std::move(page)});
    });
}

bool StoreWorker::reads_full() {
    const std::lock_guard lock(mutex_);
    return read_jobs_.size() >= reads_max;
}

void StoreWorker::on_writer(Job job) {
    write([this, job = std::move(job)] {
        job();
        letters_changed_ = true;
    });
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

void StoreWorker::write(Job job) {
    {
        const std::lock_guard lock(mutex_);
        write_jobs_.push_back(std::move(job));
    }
    write_changed_.notify_one();
}

// The log before the archive: what failed is tried again before jobs can store later messages.
void StoreWorker::write_loop() {
    tell_letters();
    while (true) {
        std::vector<Append> appends;
        std::deque<Job> jobs;
        bool last = false;
        {
            std::unique_lock lock(mutex_);
            const auto ready = [this] {
                return stopping_ || !appends_.empty() || !write_jobs_.empty();
            };
            if (failed_.empty() && archived_.empty()) {
                write_changed_.wait(lock, ready);
            } else {
                write_changed_.wait_for(lock, retry_pause, ready);
            }
            appends.swap(appends_);
            jobs.swap(write_jobs_);
            last = stopping_ && appends.empty() && jobs.empty();
        }
        commit(std::move(appends));
        if (!failed_.empty()) recover();
        for (const Job& job : jobs)
            job();
        forget_archived();
        tell_failures();
        tell_letters();
        if (last) return;
    }
}

void StoreWorker::read_loop() {
    while (const Job job = next_read())
        job();
}

/// Empty when the worker stops and nothing is left.
StoreWorker::Job StoreWorker::next_read() {
    std::unique_lock lock(mutex_);
    read_changed_.wait(
        lock, [this] { return stopping_ || !openings_.empty() || !read_jobs_.empty(); });
    // A room that is being opened keeps many waiting, a page of history one.
    if (!openings_.empty()) {
        const auto attempt = opening_attempts_.extract(openings_.front());
        openings_.pop_front();
        return [this, opening = attempt.key(), number = attempt.mapped()] {
            open_now(opening.first, OpenRoom{opening.second, number});
        };
    }
    if (read_jobs_.empty()) return {};
    Job job = std::move(read_jobs_.front());
    read_jobs_.pop_front();
    return job;
}

void StoreWorker::commit(std::vector<Append> appends) {
    std::span<Append> rest = appends;
    while (!rest.empty()) {
        const auto group = rest.first(std::min(rest.size(), group_max));
        rest = rest.subspan(group.size());
        if (!commit_or_set_aside(set_followers_aside(group))) return set_aside(rest);
    }
}

// Behind an entry that was not stored no other of its room can be.
std::span<const StoreWorker::Append> StoreWorker::set_followers_aside(std::span<Append> group) {
    const auto followers =
        std::stable_partition(group.begin(), group.end(), [this](const Append& append) {
            return failed_.find(append.message->room) == failed_.end();
        });
    const auto others = static_cast<std::size_t>(followers - group.begin());
    set_aside(group.subspan(others));
    return group.first(others);
}

void StoreWorker::set_aside(std::span<const Append> appends) {
    for (const Append& append : appends)
        failed_[append.message->room].push_back(append);
}

/// False when the log takes nothing: each further try might wait as long for it.
bool StoreWorker::commit_or_set_aside(std::span<const Append> group) {
    if (group.empty()) return true;
    const auto stored = commit_group(group);
    if (stored) return true;
    if (stored.error().reason == Reason::room_unavailable)
        return commit_by_room(group, stored.error());
    write_failed(StoreOperation::append, stored.error());
    set_aside(group);
    return false;
}

// One room's trouble is not that of the others.
bool StoreWorker::commit_by_room(std::span<const Append> group, const Error& trouble) {
    std::map<RoomId, std::vector<Append>> by_room;
    for (const Append& append : group)
        by_room[append.message->room].push_back(append);
    const bool alone = by_room.size() == 1;  // Then this very batch has just failed.
    bool works = true;
    for (const auto& [room, appends] : by_room) {
        if (works) {
            const auto stored = alone ? Result<Done>(trouble) : commit_group(appends);
            if (stored) continue;
            write_failed(StoreOperation::append, stored.error());
            works = stored.error().reason == Reason::room_unavailable;
        }
        set_aside(appends);
    }
    return works;
}

Result<Done> StoreWorker::commit_group(std::span<const Append> group) {
    std::vector<MessagePtr> messages;
    messages.reserve(group.size());
    std::transform(group.begin(), group.end(), std::back_inserter(messages), [](const Append& a) {
        return a.message;
    });

    const TimePoint started = monotonic_now();
    auto result = contained([&] { return log_.append(messages); });
    if (!result) {
        observer_.counted(StoreOperation::append);
        return result;
    }
    observer_.appended(monotonic_now() - started, messages.size());

    std::map<std::uint16_t, Committed> by_shard;
    for (const Append& append : group)
        by_shard[append.shard].messages.push_back(append.message);
    for (auto& [shard, committed] : by_shard) {
        observer_.log_backlog(shard, -static_cast<std::int64_t>(committed.messages.size()));
        reply_(shard, std::move(committed));
    }
    return Done{};
}

void StoreWorker::recover() {
    if (retry_appends_) {
        retry_appends();
    } else {
        renew_epochs();
    }
}

// Entries that do not follow are a room's own trouble: the log takes those of others. Any other
// error ends the attempt; the next one begins behind that room, in case only its own are refused.
void StoreWorker::retry_appends() {
    for (std::size_t left = failed_.size(); left > 0; --left) {
        auto failed = retried_ ? failed_.upper_bound(*retried_) : failed_.begin();
        if (failed == failed_.end()) failed = failed_.begin();
        retried_ = failed->first;
        const auto stored = retry(failed->second);
        if (stored) {
            failed_.erase(failed);
        } else if (stored.error().reason != Reason::room_unavailable) {
            return set_down(stored.error());
        }
    }
    set_down(std::nullopt);
}

Result<Done> StoreWorker::retry(std::vector<Append>& appends) {
    while (!appends.empty()) {
        const auto group = std::span(appends).first(std::min(appends.size(), group_max));
        if (auto stored = commit_group(group); !stored) return stored;
        appends.erase(appends.begin(), appends.begin() + std::ssize(group));
    }
    return Done{};
}

void StoreWorker::renew_epochs() {
    const auto epoch = contained([&] { return log_.begin_epoch(wall_now()); });
    if (!epoch) {
        observer_.counted(StoreOperation::begin_epoch);
        return set_down(epoch.error());
    }
    set_down(std::nullopt);
    for (const auto& [room, appends] : failed_) {
        const std::uint16_t shard = appends.front().shard;
        observer_.log_backlog(shard, -std::ssize(appends));
        reply_(shard, AppendFailed{room, *epoch, appends.size()});
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

/// Of appends only what people are to read: their calls are counted where they are made.
void StoreWorker::write_failed(StoreOperation operation, const Error& error) {
    if (operation != StoreOperation::append) observer_.counted(operation);
    const bool known = std::ranges::any_of(failures_, [&](const auto& failure) {
        return failure.first == operation && failure.second.detail == error.detail;
    });
    if (!known) failures_.emplace_back(operation, error);
}

void StoreWorker::note_failure(StoreOperation operation, const Error& error) {
    observer_.counted(operation);
    observer_.failed(operation, error);
}

// At the end of a turn it is known which of them follow from the log being down.
void StoreWorker::tell_failures() {
    for (const auto& [operation, error] : std::exchange(failures_, {})) {
        if (!down_) observer_.failed(operation, error);
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
    letters_changed_ = true;
    auto kept = contained([&] { return dead_letters_.add(dead); });
    if (kept && *kept < dead.size())
        kept = Error{Reason::queue_overflow, "the dead-letter store is full", {}};
    if (kept) return;
    write_failed(StoreOperation::dead_letters, kept.error());
    // Some may be kept; the log then has them too, and the next start tries again.
    for (const MessagePtr& message : letters.messages)
        unkept_.try_emplace(message->room, message->seq);
}

void StoreWorker::tell_letters() {
    if (!std::exchange(letters_changed_, false)) return;
    const auto count = contained([&] { return dead_letters_.count(); });
    if (!count) return observer_.counted(StoreOperation::dead_letters);
    const std::size_t told = std::exchange(letters_told_, *count);
    observer_.dead_letters(static_cast<std::int64_t>(*count) - static_cast<std::int64_t>(told));
}

void StoreWorker::note_archived(const TruncateLog& archived) {
    for (const auto& [room, seq] : archived.rooms) {
        if (archived_.size() >= truncations_max && !archived_.contains(room)) continue;
        Seq& upto = archived_[room];
        upto = std::max(upto, seq);
    }
}

// Entries of a room that still have to go into the log come first: it forgets them as well then.
void StoreWorker::forget_archived() {
    std::vector<LogPosition> positions;
    for (const auto& [room, seq] : archived_) {
        if (failed_.contains(room)) continue;
        const auto unkept = unkept_.find(room);
        const bool kept = unkept == unkept_.end() || seq < unkept->second;
        positions.push_back({room, kept ? seq : Seq{unkept->second.value - 1}});
    }
    if (positions.empty()) return;
    const auto result = contained([&] { return log_.truncate(positions); });
    if (!result) return write_failed(StoreOperation::truncate, result.error());
    for (const LogPosition& position : positions)
        archived_.erase(position.room);
}

}  // namespace chatx::node
