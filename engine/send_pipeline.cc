#include "engine/send_pipeline.h"

#include <chatx/assert.h>

#include "engine/replies.h"
#include "engine/validation.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace chatx::engine {

namespace {

constexpr Duration retry_after_min = std::chrono::milliseconds(100);

/// The key of a message or a draft; nothing when it came without `client_id`.
template <class Sent>
std::optional<Dedupe::Key> key_of(const Sent& sent) {
    if (sent.client_id.empty()) return std::nullopt;
    return Dedupe::Key{sent.user, sent.client_id};
}

void keep_earlier(std::optional<TimePoint>& earliest, std::optional<TimePoint> other) {
    if (other && (!earliest || *other < *earliest)) earliest = other;
}

}  // namespace

SendPipeline::SendPipeline(
    const Options& options, const Chain& chain, const Start& start, Ticket& last_ticket)
    : options_(options),
      chain_(chain),
      last_ticket_(last_ticket),
      epoch_(start.epoch),
      proposed_(start.head),
      last_id_(start.last_id),
      last_inserted_at_(start.last_inserted_at),
      limiter_(options.rate_limit),
      dedupe_(options.dedupe) {}

void SendPipeline::send(RoomId room, Send request, Step& step) {
    dedupe_.expire(step.now);
    if (auto invalid = problem_with(request)) {
        refuse<SendReply>(step, request.reply_to, std::move(*invalid));
    } else if (answer_retry(request, step)) {
        return;
    } else if (queue_.size() >= options_.queue_limit) {
        const Error overflow{Reason::queue_overflow, {}, retry_after(step.now)};
        refuse<SendReply>(step, request.reply_to, overflow);
    } else if (!request.client_id.empty() && dedupe_.full()) {
        const TimePoint room_at = dedupe_.first_expiry().value_or(step.now);
        const Duration wait = std::max(room_at - step.now, retry_after_min);
        const Error overflow{Reason::queue_overflow, "too many sends with a client_id", wait};
        refuse<SendReply>(step, request.reply_to, overflow);
    } else {
        add(std::move(room), std::move(request), step);
        settle(step);
    }
}

void SendPipeline::on_verdict(Ticket ticket, Verdict verdict, Step& step) {
    const auto place = queue_.end_check(ticket);
    if (!place) return;
    switch (verdict.kind) {
        case Verdict::Kind::pass:
            ++queue_.at(*place).stage;
            pass_stages(*place, step);
            break;
        case Verdict::Kind::reject:
            drop(*place, presentable(std::move(verdict.error)), step);
            break;
        case Verdict::Kind::replace:
            replace_content(*place, std::move(verdict.content), step);
            break;
        default:
            check_failed(*place, Metric::adapter_error, step);
    }
    settle(step);
}

void SendPipeline::on_check_failed(Ticket ticket, Step& step) {
    const auto place = queue_.end_check(ticket);
    if (!place) return;
    check_failed(*place, Metric::adapter_error, step);
    settle(step);
}

bool SendPipeline::expects(const Message& message) const {
    const auto place = queue_.first_proposed();
    return !place || queue_.at(*place).message->id == message.id;
}

void SendPipeline::applied(const Message& message, Step& step) {
    const SendReply outcome = reply_of(message);
    if (const auto place = queue_.first_proposed()) {
        for (const auto& asker : queue_.remove(*place).askers)
            reply(step, asker.to, outcome);
    } else {
        proposed_ = message.seq;
        last_id_ = std::max(last_id_, message.id);
        last_inserted_at_ = std::max(last_inserted_at_, message.inserted_at);
    }
    if (const auto key = key_of(message)) dedupe_.complete(*key, outcome, step.now);
    settle(step);
}

void SendPipeline::fail_uncommitted(Epoch epoch, Seq head, Step& step) {
    CHATX_ASSERT(epoch > epoch_);
    epoch_ = epoch;
    proposed_ = head;
    while (const auto place = queue_.first_proposed()) {
        drop(*place, {Reason::room_unavailable, {}, retry_after(step.now)}, step);
    }
    settle(step);
}

void SendPipeline::remember(const Dedupe::Applied& send, TimePoint at) {
    dedupe_.complete(send.key, send.reply, at);
}

void SendPipeline::tick(Step& step) {
    while (const auto ticket = queue_.due_check(step.now)) {
        check_failed(*queue_.end_check(*ticket), Metric::adapter_timeout, step);
    }
    while (const auto place = queue_.due_asker(step.now))
        time_out(*place, step);
    dedupe_.expire(step.now);
    limiter_.expire(step.now);
    settle(step);
}

// Expiry is wanted when the last entry is due: `send` drops the earlier ones on its way.
std::optional<TimePoint> SendPipeline::deadline() const {
    std::optional<TimePoint> earliest = queue_.deadline();
    keep_earlier(earliest, dedupe_.last_expiry());
    keep_earlier(earliest, limiter_.all_full_at());
    return earliest;
}

std::optional<Error> SendPipeline::problem_with(const Send& request) const {
    const auto content = check_content(request.content, options_.message_size_limit);
    if (!content) return content.error();
    const auto client_id = check_client_id(request.client_id);
    if (!client_id) return client_id.error();
    return std::nullopt;
}

bool SendPipeline::answer_retry(const Send& request, Step& step) {
    const auto key = key_of(request);
    const auto* known = key ? dedupe_.find(*key) : nullptr;
    if (known == nullptr) return false;
    count(step, Metric::dedupe_hit);
    if (const auto* outcome = std::get_if<SendReply>(known)) {
        reply(step, request.reply_to, *outcome);
        return true;
    }
    const Place place = std::get<Dedupe::Pending>(*known).place;
    if (queue_.at(place).askers.size() > options_.dedupe.waiters_max) {
        const Error overflow{
            Reason::queue_overflow, "too many retries at once", retry_after(step.now)};
        refuse<SendReply>(step, request.reply_to, overflow);
    } else {
        queue_.add_asker(place, {request.reply_to, step.now + options_.send_deadline});
    }
    return true;
}

void SendPipeline::add(RoomId room, Send request, Step& step) {
    const auto key = key_of(request);
    const Place place = queue_.add(
        {{std::move(room),
          std::move(request.user),
          std::move(request.content),
          std::move(request.client_id),
          request.answers},
         step.now,
         {{request.reply_to, step.now + options_.send_deadline}},
         0,
         false,
         {},
         {}});
    if (key) dedupe_.begin(*key, place);
    pass_stages(place, step);
}

void SendPipeline::pass_stages(Place place, Step& step) {
    SendQueue::Entry& entry = queue_.at(place);
    for (; entry.stage < chain_.size(); ++entry.stage) {
        if (chain_.at(entry.stage).external()) {
            const Ticket ticket = ++last_ticket_;
            queue_.begin_check(place, ticket, step.now + options_.check_deadline);
            step.actions.emplace_back(CheckDraft{ticket, entry.stage, entry.draft});
            return;
        }
        if (const auto wait = limiter_.take(entry.draft.user, step.now)) {
            drop(place, {Reason::rate_limited, {}, wait}, step);
            return;
        }
    }
    entry.checked = true;
}

void SendPipeline::replace_content(Place place, std::string content, Step& step) {
    SendQueue::Entry& entry = queue_.at(place);
    if (!check_content(content, options_.message_size_limit)) {
        // Whatever happens on failure otherwise, the original must not pass: it was not wanted.
        count_adapter(step, Metric::adapter_error, chain_.at(entry.stage).label());
        drop(place, {Reason::adapter_error, {}, {}}, step);
        return;
    }
    entry.draft.content = std::move(content);
    ++entry.stage;
    pass_stages(place, step);
}

void SendPipeline::check_failed(Place place, Metric metric, Step& step) {
    SendQueue::Entry& entry = queue_.at(place);
    const Stage& stage = chain_.at(entry.stage);
    count_adapter(step, metric, stage.label());
    if (stage.kind == Stage::Kind::moderation && options_.moderation_fails_open) {
        ++entry.stage;
        pass_stages(place, step);
    } else {
        drop(place, {Reason::adapter_error, {}, {}}, step);
    }
}

void SendPipeline::drop(Place place, const Error& error, Step& step) {
    const SendQueue::Entry entry = queue_.remove(place);
    const auto key = entry.message ? key_of(*entry.message) : key_of(entry.draft);
    if (key) dedupe_.abandon(*key);
    for (const auto& asker : entry.askers)
        refuse<SendReply>(step, asker.to, error);
}

// What is proposed may still be applied; only those who wait are told that they need not any
// longer.
void SendPipeline::time_out(Place place, Step& step) {
    const Error timeout{Reason::timeout, {}, {}};
    if (!queue_.at(place).message) {
        drop(place, timeout, step);
        return;
    }
    for (const auto& asker : queue_.take_due_askers(place, step.now)) {
        refuse<SendReply>(step, asker, timeout);
    }
}

void SendPipeline::settle(Step& step) {
    while (const auto place = queue_.next_to_propose()) {
        SendQueue::Entry& entry = queue_.at(*place);
        if (entry.askers.front().deadline <= step.now) {
            time_out(*place, step);
            continue;
        }
        MessagePtr message = make_message(std::move(entry.draft), step);
        queue_.propose(*place, message);
        step.actions.emplace_back(Proposed{std::move(message)});
    }
    if (queue_size_told_ != queue_.size()) {
        queue_size_told_ = queue_.size();
        count(step, Metric::queue_size, queue_size_told_);
    }
}

MessagePtr SendPipeline::make_message(Draft draft, Step& step) {
    step.ids.raise_above(last_id_);
    last_id_ = step.ids.next(step.wall);
    last_inserted_at_ = std::max(last_inserted_at_, step.wall);
    proposed_ = proposed_.next();
    return std::make_shared<const Message>(Message{
        last_id_,
        std::move(draft.room),
        std::move(draft.user),
        std::move(draft.content),
        last_inserted_at_,
        epoch_,
        proposed_,
        std::move(draft.client_id),
        draft.reply_to});
}

// Roughly how long a send takes through the queue: as long as the first one has been in it.
Duration SendPipeline::retry_after(TimePoint now) const {
    const Duration waited = now - queue_.oldest_arrival().value_or(now);
    return std::clamp(waited, retry_after_min, std::max(options_.send_deadline, retry_after_min));
}

}  // namespace chatx::engine
