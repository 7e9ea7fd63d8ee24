#pragma once

#include <chatx/time.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// Buffers that connections borrow while they have something to send, so that an idle connection
/// holds none. Lives on one loop.
class BufferPool {
public:
    /// Most buffers, and most bytes in one, that are kept for the next borrower; others are freed.
    static constexpr std::size_t buffers_max = 4096;
    static constexpr std::size_t buffer_bytes_max = std::size_t{16} * 1024;

    /// An empty buffer, with room in it when one is at hand.
    [[nodiscard]] std::string take();

    void give_back(std::string buffer);

private:
    std::vector<std::string> buffers_;
};

/// Who is told that there is something to send.
class OutboxOwner {
public:
    OutboxOwner() = default;
    OutboxOwner(const OutboxOwner&) = delete;
    OutboxOwner& operator=(const OutboxOwner&) = delete;
    virtual ~OutboxOwner() = default;

    /// The outbox was empty and will not be.
    virtual void on_outbox_filled() = 0;

    /// The outbox is about to exceed its bound: a chance to send now what the socket takes, so that
    /// only what a client does not read counts against it. May call `sent` and `blocked`, nothing
    /// else.
    virtual void on_outbox_full() {}
};

/// The bytes a connection has yet to send, in order. Bounded in bytes and in age; a connection
/// beyond a bound is cut, for a chat client that is told nothing cannot know what it missed. Lives
/// on the shard's loop; without I/O.
class Outbox {
public:
    struct Limits {
        std::size_t bytes_max = std::size_t{1} << 20;
        std::size_t offered_max = std::size_t{1} << 20;  // For `offer`; not above `bytes_max`.
        Duration age_max = std::chrono::seconds(10);     // Of bytes that a flush left behind.
    };

    /// All outlive the outbox.
    Outbox(const Limits& limits, BufferPool& pool, OutboxOwner& owner)
        : limits_(limits), pool_(pool), owner_(owner) {}

    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;
    ~Outbox();

    /// Adds a frame. Beyond `bytes_max` the frame is left out and the outbox is `overflowed` for
    /// good.
    void append(std::string_view frame);

    /// Adds a frame that may be missing: beyond `offered_max` it is left out, and false.
    [[nodiscard]] bool offer(std::string_view frame);

    /// Half of `offered_max` is free.
    [[nodiscard]] bool drained() const { return size() <= limits_.offered_max / 2; }

    /// Where a frame is to be encoded in place, beyond any bound; call `check` after it.
    [[nodiscard]] std::string& buffer();
    void check();

    [[nodiscard]] bool empty() const { return sent_ == buffer_.size(); }

    [[nodiscard]] std::size_t size() const { return buffer_.size() - sent_; }

    /// Bytes that it takes up to its bound.
    [[nodiscard]] std::size_t free_bytes() const {
        return size() < limits_.bytes_max ? limits_.bytes_max - size() : 0;
    }

    [[nodiscard]] bool overflowed() const { return overflowed_; }

    /// What to send next.
    [[nodiscard]] std::string_view pending() const {
        return std::string_view(buffer_).substr(sent_);
    }

    /// `count` bytes of `pending` are sent.
    void sent(std::size_t count, TimePoint now);

    /// The socket takes no more for now.
    void blocked(TimePoint now);

    /// Bytes have waited for longer than `age_max`; told at most `age_max` late.
    [[nodiscard]] bool too_old(TimePoint now) const;

    /// How long bytes have waited behind a flush, told at most that much too short.
    [[nodiscard]] Duration waiting(TimePoint now) const {
        return mark_ ? now - mark_->since : Duration::zero();
    }

    /// Throws away what is left, and the buffer.
    void clear();

private:
    // A place in the stream and when it was already waiting: while it waits, so do bytes at least
    // that old.
    struct Mark {
        std::uint64_t position;
        TimePoint since;
    };

    const Limits& limits_;
    BufferPool& pool_;
    OutboxOwner& owner_;
    std::string buffer_;
    std::size_t sent_ = 0;           // Bytes of `buffer_` that are sent.
    std::uint64_t sent_before_ = 0;  // Bytes sent that are no longer in `buffer_`.
    std::optional<Mark> mark_;
    bool overflowed_ = false;
};

}  // namespace chatx::node
