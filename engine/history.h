#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

namespace chatx::engine {

/// A reign over a room and the first place it could give.
struct EpochStart {
    Epoch epoch;
    Seq first;
    bool operator==(const EpochStart&) const = default;
};

/// A read that needs the archive: load `asked`, then give the answer to `History::finish`.
struct PendingRead {
    HistoryRange wanted;
    HistoryRange asked;
    Seq tail_first;                // Where the ring began when the read was made.
    std::vector<MessagePtr> tail;  // The ring from there, as far as the page can use it.
};

/// What one room knows of its past: the ring of recent messages and the table of reigns. What is
/// older is in the archive, if there is one; this says what to read from there and joins the answer
/// to the ring.
///
/// The ring is a dense stretch of the order that ends at the head. While there is an archive, a
/// message leaves the ring only when the archive has it, up to a hard bound. A message that can be
/// had from nowhere leaves a hole in the seqs of a page; a page never skips one that can. Lives on
/// one loop.
class History {
public:
    struct Options {
        std::size_t messages_max = 1024;
        std::size_t bytes_max = std::size_t{4} << 20;  // 4 MiB.
        // Hard bounds, for an archive that lags behind; the second is 64 MiB.
        std::size_t unarchived_messages_max = 16'384;
        std::size_t unarchived_bytes_max = std::size_t{64} << 20;
        std::size_t epochs_max = 1024;  // Older reigns are forgotten: points in them are unknown.
    };

    struct Start {
        Epoch epoch;  // The reign that begins.
        Seq head;
        MessageId last_id;               // Of the message at `head`.
        std::vector<EpochStart> epochs;  // Earlier reigns, oldest first.
        std::vector<MessagePtr> recent;  // The tail of the order. What is older counts as archived.
        bool archive = false;            // There is one to read from.
    };

    /// Takes what fits together of a start, which may come from a damaged file: of `recent` the
    /// longest dense tail that ends at the head, of `epochs` those that grow. Reigns that only
    /// `recent` shows are added.
    History(const Options& options, Start start);

    /// Adds the message at `head().next()`.
    void append(MessagePtr message);

    /// From the next place on another reign counts, larger than the present one.
    void begin_epoch(Epoch epoch);

    /// The archive has the messages up to `seq`.
    void on_archived(Seq seq);

    [[nodiscard]] Seq head() const { return head_; }

    [[nodiscard]] Seq archived() const { return archived_; }

    /// The oldest place in the ring; `head().next()` when it is empty.
    [[nodiscard]] Seq first() const { return Seq{head_.value + 1 - ring_.size()}; }

    /// The messages of the ring, in order.
    [[nodiscard]] const std::deque<MessagePtr>& ring() const { return ring_; }

    /// What the messages of the ring take in memory, roughly.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// Whether the head stood at `seq` at some time during the reign `epoch`: then a reader who
    /// stopped there has read this room's line. False also where that is no longer known.
    [[nodiscard]] bool on_line(Epoch epoch, Seq seq) const;

    /// A page, or what to load first. Of a range that no archive can give, the part in the ring.
    [[nodiscard]] std::variant<HistoryPage, PendingRead> read(HistoryRange wanted) const;

    /// The latest messages of the ring, at most `limit`.
    [[nodiscard]] std::vector<MessagePtr> latest(std::size_t limit) const;

    /// Joins the archive's answer, which is `plausible`, to the ring as it is now.
    [[nodiscard]] HistoryPage finish(const PendingRead& read, HistoryPage loaded) const;

    /// Whether an answer of the archive can be used: messages of `room`, in order, inside the range
    /// that was asked for and not ahead of the head.
    [[nodiscard]] bool plausible(
        const RoomId& room, const HistoryRange& asked, const HistoryPage& page) const;

private:
    void restore(std::vector<MessagePtr> recent);
    void note_epoch(EpochStart start);
    void evict();

    [[nodiscard]] bool older_archived() const { return archive_ && first().value > 1; }

    [[nodiscard]] Seq end_of(const HistoryRange& range) const;
    [[nodiscard]] std::optional<Seq> find(MessageId id) const;
    [[nodiscard]] std::variant<HistoryPage, PendingRead> read_forward(HistoryRange wanted) const;
    [[nodiscard]] std::variant<HistoryPage, PendingRead> read_backward(HistoryRange wanted) const;
    [[nodiscard]] PendingRead pending(HistoryRange wanted, HistoryRange asked) const;
    [[nodiscard]] std::vector<MessagePtr> stretch(Seq from, Seq end) const;
    [[nodiscard]] HistoryPage finish_forward(const PendingRead& read, HistoryPage page) const;
    [[nodiscard]] HistoryPage finish_backward(const PendingRead& read, HistoryPage page) const;

    Options options_;
    bool archive_;
    Seq head_;
    Seq archived_;
    MessageId last_id_;
    std::size_t bytes_ = 0;
    std::deque<MessagePtr> ring_;
    std::deque<EpochStart> epochs_;  // Oldest first; the last is the present one.
};

/// What a message takes in memory, roughly.
[[nodiscard]] std::size_t memory_bytes(const Message& message);

}  // namespace chatx::engine
