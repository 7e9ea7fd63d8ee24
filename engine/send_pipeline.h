#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include "engine/actions.h"
#include "engine/dedupe.h"
#include "engine/middleware.h"
#include "engine/rate_limiter.h"
#include "engine/send_queue.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace chatx::engine {

/// The way of a send through its room: validation, dedupe, the middleware chain, ordering, then
/// `Proposed`; and back to the sender when it is applied.
///
/// Checks of several sends run at the same time; each keeps its place, and only the first that is
/// not proposed is ordered, when its checks are through. Part of a room, which says what is
/// committed; same loop.
class SendPipeline {
public:
    struct Options {
        std::size_t message_size_limit = 4096;
        std::size_t queue_limit =
            2048;  // From arrival to `applied`; further sends: `queue_overflow`.
        Duration send_deadline = std::chrono::seconds(5);
        Duration check_deadline = std::chrono::seconds(1);
        bool moderation_fails_open = false;
        RateLimiter::Options rate_limit;
        Dedupe::Options dedupe;
    };

    /// Where the order goes on.
    struct Start {
        Epoch epoch;
        Seq head;
        MessageId last_id;
        WallTime last_inserted_at;
    };

    /// Tickets are drawn by counting `last_ticket` up. It and `chain` outlive the pipeline.
    SendPipeline(
        const Options& options, const Chain& chain, const Start& start, Ticket& last_ticket);

    void send(RoomId room, Send request, Step& step);

    // Answers to checks. A ticket that is no longer waited for is ignored.
    void on_verdict(Ticket ticket, Verdict verdict, Step& step);
    void on_check_failed(Ticket ticket, Step& step);

    /// Whether this may be applied at the next place: the first proposed entry or, when nothing is
    /// proposed, anything.
    [[nodiscard]] bool expects(const Message& message) const;

    /// An expected message was applied: tells those who wait for it.
    void applied(const Message& message, Step& step);

    /// What is proposed will never be applied; the order goes on behind `head` under `epoch`.
    void fail_uncommitted(Epoch epoch, Seq head, Step& step);

    /// Recognizes retries of a send that was applied at `at`, before this pipeline began. Called in
    /// order of time.
    void remember(const Dedupe::Applied& send, TimePoint at);

    /// Deadlines and expiry.
    void tick(Step& step);
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    [[nodiscard]] Epoch epoch() const { return epoch_; }

    [[nodiscard]] std::size_t queue_size() const { return queue_.size(); }

    /// Nobody has sent so lately that a pipeline that begins now would allow more.
    [[nodiscard]] bool rates_full() const { return limiter_.bucket_count() == 0; }

    /// The oldest message whose retries are recognized.
    [[nodiscard]] std::optional<Seq> oldest_remembered() const { return dedupe_.oldest_seq(); }

private:
    using Place = SendQueue::Place;

    [[nodiscard]] std::optional<Error> problem_with(const Send& request) const;
    bool answer_retry(const Send& request, Step& step);
    void add(RoomId room, Send request, Step& step);
    void pass_stages(Place place, Step& step);
    void replace_content(Place place, std::string content, Step& step);
    void check_failed(Place place, Metric metric, Step& step);
    void drop(Place place, const Error& error, Step& step);
    void time_out(Place place, Step& step);
    void settle(Step& step);
    [[nodiscard]] MessagePtr make_message(Draft draft, Step& step);
    [[nodiscard]] Duration retry_after(TimePoint now) const;

    Options options_;
    const Chain& chain_;
    Ticket& last_ticket_;

    Epoch epoch_;
    Seq proposed_;  // The last place given; the head when nothing is in between.
    MessageId last_id_;
    WallTime last_inserted_at_;

    RateLimiter limiter_;
    Dedupe dedupe_;
    SendQueue queue_;
    std::size_t queue_size_told_ = 0;
};

}  // namespace chatx::engine
