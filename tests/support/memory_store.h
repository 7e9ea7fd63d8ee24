#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>

#include "node/store/dead_letters.h"
#include "node/store/log.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace chatx::test {

/// Log, archive and dead letters in memory, with the contracts of the real ones. Any thread.
///
/// `fails` is asked before each call, by the name of what is called; what it returns is the answer.
/// It may throw or block. Set it before threads call.
class MemoryStore final : public node::Log, public Persistence, public node::DeadLetters {
public:
    std::function<std::optional<Error>(std::string_view call, std::span<const MessagePtr> batch)>
        fails;

    // The log.
    Result<Done> append(std::span<const MessagePtr> batch) override {
        if (auto error = refusal("append", batch)) return *error;
        const std::lock_guard lock(mutex_);
        std::map<RoomId, const Message*> heads;
        for (const MessagePtr& message : batch) {
            auto head = heads.try_emplace(message->room, head_of(message->room)).first;
            const Seq last = head->second == nullptr ? Seq{} : head->second->seq;
            const Epoch epoch = head->second == nullptr ? Epoch{} : head->second->epoch;
            if (message->seq <= last && has(*message)) continue;
            if (message->seq != last.next() || message->epoch < epoch) {
                return Reason::room_unavailable;
            }
            head->second = message.get();
        }
        for (const MessagePtr& message : batch) {
            const Message* head = head_of(message->room);
            if (head == nullptr || message->seq > head->seq)
                logged_[message->room].push_back(message);
        }
        return Done{};
    }

    Result<Done> truncate(std::span<const node::LogPosition> archived) override {
        if (auto error = refusal("truncate")) return *error;
        const std::lock_guard lock(mutex_);
        for (const auto& [room, seq] : archived)
            truncated_[room] = std::max(truncated_[room], seq);
        return Done{};
    }

    Result<Epoch> begin_epoch(WallTime /*now*/) override {
        if (auto error = refusal("begin_epoch")) return *error;
        const std::lock_guard lock(mutex_);
        return Epoch{0, ++reigns_, 0};
    }

    Result<node::StoredRoom> open_room(const RoomId& room, std::size_t recent_max) override {
        if (auto error = refusal("open_room")) return *error;
        const std::lock_guard lock(mutex_);
        node::StoredRoom stored;
        const auto found = logged_.find(room);
        if (found == logged_.end()) return stored;
        const std::vector<MessagePtr>& all = found->second;
        engine::RoomState& state = stored.state;
        state.epoch = all.back()->epoch;
        state.seq = all.back()->seq;
        state.last_id = all.back()->id;
        state.last_inserted_at = all.back()->inserted_at;
        for (const MessagePtr& message : all) {
            if (!state.epochs.empty() && state.epochs.back().epoch == message->epoch) continue;
            state.epochs.push_back({message->epoch, message->seq});
        }
        const std::size_t recent = std::min(recent_max, all.size());
        state.recent.assign(all.end() - static_cast<std::ptrdiff_t>(recent), all.end());
        stored.archived = truncated_[room];
        return stored;
    }

    Result<MessageId> last_id() override {
        if (auto error = refusal("last_id")) return *error;
        const std::lock_guard lock(mutex_);
        MessageId last;
        for (const auto& [room, entries] : logged_) {
            for (const MessagePtr& message : entries)
                last = std::max(last, message->id);
        }
        return last;
    }

    Result<std::vector<engine::Dedupe::Applied>> recent_sends(
        const RoomId& room, WallTime since, std::size_t places_max) override {
        if (auto error = refusal("recent_sends")) return *error;
        const std::lock_guard lock(mutex_);
        std::vector<engine::Dedupe::Applied> sends;
        const auto found = logged_.find(room);
        if (found == logged_.end()) return sends;
        for (const MessagePtr& message : found->second) {
            const bool reached = message->seq.value + places_max > found->second.back()->seq.value;
            if (!reached || message->inserted_at <= since) continue;
            if (auto send = engine::applied_send(*message)) sends.push_back(*std::move(send));
        }
        return sends;
    }

    Result<std::vector<MessagePtr>> backlog(
        const std::optional<node::LogPosition>& /*after*/, std::size_t /*limit*/) override {
        return std::vector<MessagePtr>{};
    }

    Result<std::vector<node::RoomHead>> rooms(
        std::string_view /*after*/, std::size_t /*limit*/) override {
        return std::vector<node::RoomHead>{};
    }

    // The archive.
    Result<Done> save(std::span<const MessagePtr> batch) override {
        if (auto error = refusal("save", batch)) return *error;
        const std::lock_guard lock(mutex_);
        for (const MessagePtr& message : batch) {
            rows_[message->room].insert_or_assign(message->seq, message);
        }
        return Done{};
    }

    Result<HistoryPage> load(const RoomId& room, const HistoryRange& range) override {
        if (auto error = refusal("load")) return *error;
        const std::lock_guard lock(mutex_);
        HistoryPage page;
        std::optional<Seq> after = range.after;
        if (range.after_id) {
            for (const auto& [seq, message] : rows_[room]) {
                if (message->id == *range.after_id) page.anchor = seq;
            }
            if (!page.anchor) return HistoryPage{{}, false, false, {}};
            after = page.anchor;
        }
        for (const auto& [seq, message] : rows_[room]) {
            if (after && seq <= *after) continue;
            if (range.before && seq >= *range.before) continue;
            page.messages.push_back(message);
        }
        page.more = page.messages.size() > range.limit;
        if (!page.more) return page;
        const auto limit = static_cast<std::ptrdiff_t>(range.limit);
        if (after) {
            page.messages.resize(range.limit);
        } else {
            page.messages.erase(page.messages.begin(), page.messages.end() - limit);
        }
        return page;
    }

    // Dead letters.
    Result<std::size_t> add(std::span<const node::DeadLetter> letters) override {
        if (auto error = refusal("add")) return *error;
        const std::lock_guard lock(mutex_);
        letters_.insert(letters_.end(), letters.begin(), letters.end());
        return letters.size();
    }

    Result<std::vector<node::DeadLetter>> list(
        std::uint64_t /*after*/, std::size_t /*limit*/) override {
        const std::lock_guard lock(mutex_);
        return letters_;
    }

    Result<std::optional<node::DeadLetter>> find(std::uint64_t /*id*/) override {
        return std::optional<node::DeadLetter>{};
    }

    Result<Done> remove(std::uint64_t /*id*/) override { return Done{}; }

    Result<std::size_t> count() override {
        const std::lock_guard lock(mutex_);
        return letters_.size();
    }

    /// Puts what the log has into the archive, as a node does when it starts.
    void complete_archive() {
        const std::lock_guard lock(mutex_);
        for (const auto& [room, entries] : logged_) {
            for (const MessagePtr& message : entries)
                rows_[room].insert_or_assign(message->seq, message);
            truncated_[room] = entries.back()->seq;
        }
    }

    // What a test looks at.

    /// All entries of a room that were ever in the log.
    [[nodiscard]] std::vector<MessagePtr> logged(const RoomId& room) {
        const std::lock_guard lock(mutex_);
        const auto found = logged_.find(room);
        return found == logged_.end() ? std::vector<MessagePtr>{} : found->second;
    }

    /// The rows of a room in the archive.
    [[nodiscard]] std::vector<MessagePtr> rows(const RoomId& room) {
        const std::lock_guard lock(mutex_);
        std::vector<MessagePtr> rows;
        for (const auto& [seq, message] : rows_[room])
            rows.push_back(message);
        return rows;
    }

    /// Up to where the log was told to forget.
    [[nodiscard]] Seq truncated(const RoomId& room) {
        const std::lock_guard lock(mutex_);
        return truncated_[room];
    }

private:
    std::optional<Error> refusal(
        std::string_view call, std::span<const MessagePtr> batch = {}) const {
        return fails ? fails(call, batch) : std::nullopt;
    }

    /// Whether the log ever had this entry.
    [[nodiscard]] bool has(const Message& message) const {
        const auto found = logged_.find(message.room);
        return found != logged_.end()
               && std::ranges::any_of(found->second, [&](const MessagePtr& entry) {
                      return entry->seq == message.seq && entry->id == message.id;
                  });
    }

    const Message* head_of(const RoomId& room) const {
        const auto found = logged_.find(room);
        return found == logged_.end() ? nullptr : found->second.back().get();
    }

    std::mutex mutex_;
    std::map<RoomId, std::vector<MessagePtr>> logged_;
    std::map<RoomId, Seq> truncated_;
    std::map<RoomId, std::map<Seq, MessagePtr>> rows_;
    std::vector<node::DeadLetter> letters_;
    std::uint64_t reigns_ = 0;
};

}  // namespace chatx::test
