#include "engine/history.h"

#include <chatx/assert.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace chatx::engine {

namespace {

/// Whether `next` may stand right behind `previous` in one order.
bool adjoins(const Message& previous, const Message& next) {
    return previous.seq.next() == next.seq && previous.id < next.id;
}

/// Appends what is behind the last of `messages`.
void append_behind(std::vector<MessagePtr>& messages, const std::vector<MessagePtr>& more) {
    auto begin = more.begin();
    if (!messages.empty()) {
        begin = std::ranges::upper_bound(
            more, messages.back()->seq, {}, [](const MessagePtr& message) { return message->seq; });
    }
    messages.insert(messages.end(), begin, more.end());
}

/// The place behind all that was loaded or in the ring when the read was made.
Seq end_reached(const PendingRead& read, const HistoryPage& page) {
    const Seq tail_end{read.tail_first.value + read.tail.size()};
    return page.messages.empty() ? tail_end : std::max(tail_end, page.messages.back()->seq.next());
}

void keep_first(HistoryPage& page, std::size_t limit) {
    if (page.messages.size() <= limit) return;
    page.messages.resize(limit);
    page.more = true;
}

void keep_last(HistoryPage& page, std::size_t limit) {
    if (page.messages.size() <= limit) return;
    page.messages.erase(
        page.messages.begin(), page.messages.end() - static_cast<std::ptrdiff_t>(limit));
    page.more = true;
}

}  // namespace

std::size_t memory_bytes(const Message& message) {
    return sizeof(Message) + message.room.text().size() + message.user.text().size()
           + message.content.size() + message.client_id.size();
}

History::History(const Options& options, Start start)
    : options_(options), archive_(start.archive), head_(start.head), last_id_(start.last_id) {
    restore(std::move(start.recent));
    archived_ = Seq{first().value - 1};
    for (const auto& earlier : start.epochs)
        note_epoch(earlier);
    for (const auto& message : ring_)
        note_epoch({message->epoch, message->seq});
    std::erase_if(epochs_, [&](const EpochStart& earlier) {
        return earlier.epoch > start.epoch || earlier.first > head_.next();
    });
    note_epoch({start.epoch, head_.next()});
    evict();
}

void History::append(MessagePtr message) {
    CHATX_ASSERT(message->seq == head_.next());
    head_ = message->seq;
    last_id_ = message->id;
    bytes_ += memory_bytes(*message);
    ring_.push_back(std::move(message));
    evict();
}

void History::begin_epoch(Epoch epoch) {
    note_epoch({epoch, head_.next()});
}

void History::on_archived(Seq seq) {
    archived_ = std::max(archived_, std::min(seq, head_));
    evict();
}

bool History::on_line(Epoch epoch, Seq seq) const {
    const auto reign = std::ranges::find(epochs_, epoch, &EpochStart::epoch);
    if (reign == epochs_.end()) return false;
    const auto successor = std::next(reign);
    const Seq last = successor == epochs_.end() ? head_ : Seq{successor->first.value - 1};
    return seq.next() >= reign->first && seq <= last;
}

std::variant<HistoryPage, PendingRead> History::read(HistoryRange wanted) const {
    wanted.limit = std::min(wanted.limit, history_page_max);
    if (wanted.limit == 0) return HistoryPage{};
    return wanted.after_id || wanted.after ? read_forward(wanted) : read_backward(wanted);
}

std::vector<MessagePtr> History::latest(std::size_t limit) const {
    const std::size_t count = std::min(limit, ring_.size());
    return {ring_.end() - static_cast<std::ptrdiff_t>(count), ring_.end()};
}

HistoryPage History::finish(const PendingRead& read, HistoryPage loaded) const {
    if (!loaded.anchor_known) return HistoryPage{{}, false, false, {}};
    const bool forward = read.wanted.after_id || read.wanted.after;
    return forward ? finish_forward(read, std::move(loaded))
                   : finish_backward(read, std::move(loaded));
}

bool History::plausible(
    const RoomId& room, const HistoryRange& asked, const HistoryPage& page) const {
    if (page.messages.size() > asked.limit) return false;
    if (page.anchor && *page.anchor > head_) return false;
    Seq before_it = asked.after_id ? page.anchor.value_or(Seq{0}) : asked.after.value_or(Seq{0});
    for (const auto& message : page.messages) {
        if (!message || message->room != room) return false;
        if (message->seq <= before_it || message->seq > head_) return false;
        if (asked.before && message->seq >= *asked.before) return false;
        before_it = message->seq;
    }
    return true;
}

void History::restore(std::vector<MessagePtr> recent) {
    for (auto message = recent.rbegin(); message != recent.rend(); ++message) {
        if (!*message || (*message)->seq.value == 0) break;
        const bool fits =
            ring_.empty() ? (*message)->seq == head_ : adjoins(**message, *ring_.front());
        if (!fits) break;
        bytes_ += memory_bytes(**message);
        ring_.push_front(std::move(*message));
    }
    if (!ring_.empty()) last_id_ = ring_.back()->id;
}

// Reigns come in order from the caller; out of order only from a damaged start.
void History::note_epoch(EpochStart start) {
    if (!epochs_.empty()) {
        const EpochStart& last = epochs_.back();
        if (start.epoch <= last.epoch || start.first < last.first) return;
    }
    epochs_.push_back(start);
    if (epochs_.size() > options_.epochs_max) epochs_.pop_front();
}

void History::evict() {
    const auto over = [&](std::size_t messages_max, std::size_t bytes_max) {
        return ring_.size() > messages_max || bytes_ > bytes_max;
    };
    while (!ring_.empty() && over(options_.messages_max, options_.bytes_max)) {
        const bool kept_for_archive = archive_ && ring_.front()->seq > archived_;
        if (kept_for_archive
            && !over(options_.unarchived_messages_max, options_.unarchived_bytes_max)) {
            return;
        }
        bytes_ -= memory_bytes(*ring_.front());
        ring_.pop_front();
    }
}

Seq History::end_of(const HistoryRange& range) const {
    return range.before ? std::min(*range.before, head_.next()) : head_.next();
}

std::optional<Seq> History::find(MessageId id) const {
    if (head_.value > 0 && id == last_id_) return head_;
    const auto found = std::ranges::lower_bound(
        ring_, id, {}, [](const MessagePtr& message) { return message->id; });
    if (found == ring_.end() || (*found)->id != id) return std::nullopt;
    return (*found)->seq;
}

std::variant<HistoryPage, PendingRead> History::read_forward(HistoryRange wanted) const {
    const auto anchor = wanted.after_id ? find(*wanted.after_id) : wanted.after;
    if (!anchor) {
        const bool perhaps_older = ring_.empty() || *wanted.after_id < ring_.front()->id;
        if (older_archived() && perhaps_older) return pending(wanted, wanted);
        return HistoryPage{{}, false, false, {}};
    }
    HistoryPage page;
    page.anchor = anchor;
    const Seq end = end_of(wanted);
    if (*anchor >= end || anchor->next() >= end) return page;
    if (anchor->next() < first() && older_archived()) {
        return pending(wanted, {{}, anchor, wanted.before, wanted.limit});
    }
    const Seq from = std::max(anchor->next(), first());
    const Seq to = std::min(end, Seq{from.value + wanted.limit});
    page.messages = stretch(from, to);
    page.more = to < end;
    return page;
}

std::variant<HistoryPage, PendingRead> History::read_backward(HistoryRange wanted) const {
    const Seq end = end_of(wanted);
    const std::uint64_t available = end > first() ? end.value - first().value : 0;
    if (available < wanted.limit && available + 1 < end.value && older_archived()) {
        const auto missing = static_cast<std::uint32_t>(wanted.limit - available);
        return pending(wanted, {{}, {}, std::min(end, first()), missing});
    }
    HistoryPage page;
    const std::uint64_t count = std::min<std::uint64_t>(available, wanted.limit);
    page.messages = stretch(Seq{end.value - count}, end);
    page.more = count < available || (older_archived() && count + 1 < end.value);
    return page;
}

PendingRead History::pending(HistoryRange wanted, HistoryRange asked) const {
    PendingRead read{wanted, asked, first(), {}};
    const Seq end = end_of(wanted);
    read.tail = stretch(first(), std::min(end, Seq{first().value + wanted.limit}));
    return read;
}

std::vector<MessagePtr> History::stretch(Seq from, Seq end) const {
    from = std::max(from, first());
    end = std::min(end, head_.next());
    if (from >= end) return {};
    const auto begin = ring_.begin() + static_cast<std::ptrdiff_t>(from.value - first().value);
    return {begin, begin + static_cast<std::ptrdiff_t>(end.value - from.value)};
}

// Loaded page, ring as it was, ring as it is: what overlaps is taken once. Only between the last
// two can messages have left the ring; the archive has those by now, so that more can be had.
HistoryPage History::finish_forward(const PendingRead& read, HistoryPage page) const {
    if (read.asked.after) page.anchor = read.asked.after;
    if (page.more) return page;
    const Seq end = end_of(read.wanted);
    const Seq reached = end_reached(read, page);
    append_behind(page.messages, read.tail);
    if (reached < first() && reached < end) {
        page.more = true;
    } else {
        append_behind(page.messages, stretch(reached, end));
    }
    keep_first(page, read.wanted.limit);
    return page;
}

HistoryPage History::finish_backward(const PendingRead& read, HistoryPage page) const {
    const Seq end = end_of(read.wanted);
    const Seq reached = end_reached(read, page);
    if (reached < first() && reached < end) {
        page = HistoryPage{stretch(first(), end), true, true, {}};
    } else {
        append_behind(page.messages, read.tail);
        append_behind(page.messages, stretch(reached, end));
    }
    keep_last(page, read.wanted.limit);
    return page;
}

}  // namespace chatx::engine
