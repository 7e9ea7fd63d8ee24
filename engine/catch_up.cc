#include "engine/catch_up.h"

#include <algorithm>
#include <utility>

namespace chatx::engine {

namespace {

/// Whether the messages follow each other without a hole, the first right behind `before`.
bool dense_behind(Seq before, const std::vector<MessagePtr>& messages) {
    for (const auto& message : messages) {
        if (message->seq != before.next()) return false;
        before = message->seq;
    }
    return true;
}

/// The place to expect the first message behind. A store that cannot say where the anchor stands is
/// believed.
Seq anchor_of(const HistoryPage& page, Seq head) {
    if (page.anchor) return *page.anchor;
    if (!page.messages.empty()) return Seq{page.messages.front()->seq.value - 1};
    return head;
}

/// The longest dense stretch that ends at the head.
std::vector<MessagePtr> dense_tail(std::vector<MessagePtr> messages, Seq head) {
    auto begin = messages.end();
    while (begin != messages.begin() && (*std::prev(begin))->seq == head) {
        --begin;
        head = Seq{head.value - 1};
    }
    messages.erase(messages.begin(), begin);
    return messages;
}

std::uint32_t latest_count(const Resume& resume, std::uint32_t otherwise) {
    const bool named_a_point = resume.last_seen_id || resume.since || resume.unknown_point;
    const std::uint32_t count = resume.history == 0 && named_a_point ? otherwise : resume.history;
    return std::min(count, history_page_max);
}

}  // namespace

CatchUp::CatchUp(const Resume& resume)
    : resume_(resume), latest_(latest_count(resume, history_default)) {}

CatchUp::Next CatchUp::begin(const History& history) {
    const auto missed = range_of_missed(history);
    if (!missed) return begin_latest(history);
    auto page_or_read = history.read(*missed);
    if (auto* page = std::get_if<HistoryPage>(&page_or_read)) {
        return judge_missed(history, std::move(*page));
    }
    missed_ = true;
    read_ = std::move(std::get<PendingRead>(page_or_read));
    return read_.asked;
}

CatchUp::Next CatchUp::on_loaded(const History& history, HistoryPage page) {
    HistoryPage joined = history.finish(read_, std::move(page));
    if (missed_) return judge_missed(history, std::move(joined));
    return Found{dense_tail(std::move(joined.messages), history.head()), false, false};
}

CatchUp::Found CatchUp::on_failed(const History& history) const {
    return {history.latest(latest_), false, false};
}

// `last_seen_id` wins over `since`; a point that is ahead of the head or on another line is none.
std::optional<HistoryRange> CatchUp::range_of_missed(const History& history) const {
    if (resume_.unknown_point) return std::nullopt;
    if (resume_.last_seen_id) {
        return HistoryRange{resume_.last_seen_id, {}, {}, history_page_max};
    }
    if (!resume_.since || !history.on_line(resume_.since->epoch, resume_.since->seq)) {
        return std::nullopt;
    }
    return HistoryRange{{}, resume_.since->seq, {}, history_page_max};
}

CatchUp::Next CatchUp::begin_latest(const History& history) {
    missed_ = false;
    auto page_or_read = history.read({{}, {}, {}, latest_});
    if (auto* page = std::get_if<HistoryPage>(&page_or_read)) {
        return Found{std::move(page->messages), false, false};
    }
    read_ = std::move(std::get<PendingRead>(page_or_read));
    return read_.asked;
}

CatchUp::Next CatchUp::judge_missed(const History& history, HistoryPage page) {
    if (!page.anchor_known) return begin_latest(history);
    const Seq anchor = anchor_of(page, history.head());
    const Seq end = page.messages.empty() ? anchor : page.messages.back()->seq;
    const bool complete = page.more || end == history.head();
    if (!complete || !dense_behind(anchor, page.messages)) return begin_latest(history);
    return Found{std::move(page.messages), true, page.more};
}

}  // namespace chatx::engine
