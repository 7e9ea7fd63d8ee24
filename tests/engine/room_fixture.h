#pragma once

#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include "engine/actions.h"
#include "engine/room.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::engine {

inline constexpr TimePoint start = TimePoint(std::chrono::hours(1));
inline constexpr WallTime start_wall = WallTime(std::chrono::milliseconds(1'750'000'000'000));
inline constexpr Epoch first_reign = {1, 1, 0};

inline UserId user_id(std::string_view name) {
    return *UserId::parse(name);
}

inline RoomId room_id(std::string_view name = "general") {
    return *RoomId::parse(name);
}

inline MemberKey member(std::uint64_t connection, std::uint16_t edge = 1) {
    return {EdgeId{edge}, connection};
}

/// A message with the given place; its id grows with it.
inline MessagePtr message_at(
    std::uint64_t seq,
    std::string client_id = {},
    Epoch epoch = first_reign,
    std::string content = "hello") {
    return std::make_shared<const Message>(Message{
        MessageId{seq * 100},
        room_id(),
        user_id("ann"),
        std::move(content),
        start_wall,
        epoch,
        Seq{seq},
        std::move(client_id),
        {}});
}

/// Messages with the places `from` to `to`.
inline std::vector<MessagePtr> messages_at(std::uint64_t from, std::uint64_t to) {
    std::vector<MessagePtr> messages;
    messages.reserve(to + 1 - from);
    for (std::uint64_t seq = from; seq <= to; ++seq)
        messages.push_back(message_at(seq));
    return messages;
}

/// Sends that were applied at the places `from` to `to`, with the client ids `c` and the place.
inline std::vector<Dedupe::Applied> sends_at(std::uint64_t from, std::uint64_t to) {
    std::vector<Dedupe::Applied> sends;
    for (std::uint64_t seq = from; seq <= to; ++seq)
        sends.push_back(*applied_send(*message_at(seq, "c" + std::to_string(seq))));
    return sends;
}

inline std::vector<std::uint64_t> seqs_of(const std::vector<MessagePtr>& messages) {
    std::vector<std::uint64_t> seqs;
    seqs.reserve(messages.size());
    for (const auto& message : messages)
        seqs.push_back(message->seq.value);
    return seqs;
}

/// The numbers `from` to `to`.
inline std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> all;
    all.reserve(to + 1 - from);
    for (std::uint64_t number = from; number <= to; ++number)
        all.push_back(number);
    return all;
}

/// What a store that holds these messages, in order, answers.
inline HistoryPage page_of(const std::vector<MessagePtr>& stored, const HistoryRange& range) {
    HistoryPage page;
    std::optional<Seq> after = range.after;
    if (range.after_id) {
        for (const auto& message : stored) {
            if (message->id == *range.after_id) page.anchor = message->seq;
        }
        if (!page.anchor) return {{}, false, false, {}};
        after = page.anchor;
    }
    for (const auto& message : stored) {
        if (after && message->seq <= *after) continue;
        if (range.before && message->seq >= *range.before) continue;
        page.messages.push_back(message);
    }
    if (page.messages.size() <= range.limit) return page;
    page.more = true;
    const auto limit = static_cast<std::ptrdiff_t>(range.limit);
    if (after) {
        page.messages.resize(range.limit);
    } else {
        page.messages.erase(page.messages.begin(), page.messages.end() - limit);
    }
    return page;
}

/// What one call made a room do.
struct Outcome {
    std::vector<Action> actions;

    /// All actions of a kind, in order.
    template <class T>
    [[nodiscard]] std::vector<T> all() const {
        std::vector<T> found;
        for (const auto& action : actions) {
            if (const auto* one = std::get_if<T>(&action)) found.push_back(*one);
        }
        return found;
    }

    /// The answer to a request, of the kind it asks for; nothing when it is not answered here.
    template <class T>
    [[nodiscard]] std::optional<Result<T>> answer(std::uint64_t request) const {
        for (const auto& replied : all<Replied>()) {
            if (replied.to.request == request) return std::get<Result<T>>(replied.what);
        }
        return std::nullopt;
    }

    /// Why a send was refused; nothing when it was not.
    [[nodiscard]] std::optional<Reason> refusal(std::uint64_t request) const {
        const auto found = answer<SendReply>(request);
        if (!found || *found) return std::nullopt;
        return found->error().reason;
    }

    [[nodiscard]] std::uint64_t counted(Metric metric, std::string_view label = {}) const {
        std::uint64_t sum = 0;
        for (const auto& event : all<Event>()) {
            if (event.metric == metric && event.label == label) sum += event.value;
        }
        return sum;
    }

    /// The messages that went to subscribers.
    [[nodiscard]] std::vector<MessagePtr> broadcast_messages() const {
        std::vector<MessagePtr> found;
        for (const auto& broadcast : all<Broadcast>()) {
            if (const auto* message = std::get_if<MessagePtr>(&broadcast.event)) {
                found.push_back(*message);
            }
        }
        return found;
    }

    [[nodiscard]] std::vector<PresenceDiff> diffs() const {
        std::vector<PresenceDiff> found;
        for (const auto& broadcast : all<Broadcast>()) {
            if (const auto* diff = std::get_if<PresenceDiff>(&broadcast.event)) {
                found.push_back(*diff);
            }
        }
        return found;
    }
};

/// A room with a made-up clock. Set `options` and `chain`, then `open`. Nothing is committed unless
/// a test says so.
class RoomFixture {
public:
    RoomOptions options;
    Chain chain;
    TimePoint now = start;
    WallTime wall = start_wall;
    SeededEntropy entropy{7};
    MessageIdClock ids{{}};

    RoomFixture() { options.rate_limit.messages_per_sec = 0; }

    void open() { open({first_reign, {}, {}, {}, {}, {}, {}, {}}); }

    void open(RoomState state) { room_.emplace(room_id(), options, chain, std::move(state), now); }

    /// Opens a room whose order has reached `head`, with the last `kept` messages in memory.
    void open_at(std::uint64_t head, std::uint64_t kept) {
        open(
            {{1, 2, 0},
             Seq{head},
             MessageId{head * 100},
             start_wall,
             {{first_reign, Seq{1}}},
             messages_at(head + 1 - kept, head),
             {},
             {}});
    }

    /// A chain of the named stages, all to be run by the driver but `rate_limit`.
    void use_chain(std::vector<std::string> names) {
        std::vector<std::string> custom;
        for (const auto& name : names) {
            if (name != "auth" && name != "rate_limit" && name != "moderation") {
                custom.push_back(name);
            }
        }
        chain = std::get<Chain>(Chain::build({std::move(names), std::move(custom), true, true}));
    }

    Room& room() { return *room_; }

    void pass(Duration time) {
        now += time;
        wall += std::chrono::floor<Wall::duration>(time);
    }

    /// Runs `call(room, step)` and returns what came of it.
    template <class Call>
    Outcome run(Call&& call) {
        Outcome outcome;
        Step step{now, wall, entropy, ids, outcome.actions};
        call(*room_, step);
        for (auto& proposed : outcome.all<Proposed>())
            uncommitted_.push_back(proposed.message);
        return outcome;
    }

    Outcome send(
        std::uint64_t request,
        std::string content = "hello",
        std::string client_id = {},
        std::string_view user = "ann") {
        return run([&](Room& room, Step& step) {
            room.send(
                {{EdgeId{1}, 1, request},
                 user_id(user),
                 std::move(content),
                 std::move(client_id),
                 {}},
                step);
        });
    }

    Outcome join(
        std::uint64_t request,
        MemberKey key,
        std::string_view user = "ann",
        Resume resume = {},
        bool visible = true,
        std::string meta = {}) {
        return run([&](Room& room, Step& step) {
            room.join(
                {{key.edge, key.connection, request},
                 key,
                 user_id(user),
                 visible,
                 std::move(meta),
                 resume},
                step);
        });
    }

    Outcome leave(MemberKey key) {
        return run([&](Room& room, Step& step) { room.leave({key}, step); });
    }

    Outcome read(std::uint64_t request, HistoryRange range) {
        return run([&](Room& room, Step& step) {
            room.read_history({{EdgeId{1}, 1, request}, range}, step);
        });
    }

    Outcome verdict(Ticket ticket, Verdict verdict = Verdict::pass()) {
        return run([&](Room& room, Step& step) { room.on_verdict(ticket, verdict, step); });
    }

    Outcome loaded(Ticket ticket, Result<HistoryPage> page) {
        return run([&](Room& room, Step& step) { room.on_loaded(ticket, page, step); });
    }

    Outcome tick() {
        return run([](Room& room, Step& step) { room.tick(step); });
    }

    Outcome apply(const MessagePtr& message) {
        return run([&](Room& room, Step& step) { room.apply(message, step); });
    }

    /// Commits and applies the oldest of what is proposed.
    Outcome commit() {
        const MessagePtr message = uncommitted_.front();
        uncommitted_.erase(uncommitted_.begin());
        return apply(message);
    }

    /// Says `count` messages and commits each.
    void say(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            send(1'000'000 + i);
            commit();
        }
    }

    std::vector<MessagePtr>& uncommitted() { return uncommitted_; }

private:
    std::optional<Room> room_;
    std::vector<MessagePtr> uncommitted_;  // Proposed, oldest first.
};

}  // namespace chatx::engine
