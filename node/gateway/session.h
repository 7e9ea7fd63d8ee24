#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/rate_limiter.h"
#include "node/edge.h"
#include "node/gateway/outbox.h"
#include "node/messages.h"
#include "proto/json.h"
#include "proto/phoenix.h"
#include "proto/websocket.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace chatx::node {

/// What a session asks of its shard. The shard implements it, and so does the test bench.
class SessionPort {
public:
    SessionPort() = default;
    SessionPort(const SessionPort&) = delete;
    SessionPort& operator=(const SessionPort&) = delete;
    virtual ~SessionPort() = default;

    virtual void request(RoomCommand command) = 0;
    virtual void authorize(Authorize question) = 0;
    virtual Edge& edge() = 0;
    [[nodiscard]] virtual TimePoint now() const = 0;

    /// A request that ended at the session, to be counted.
    virtual void count(const engine::Event& event) = 0;
};

struct SessionOptions {
    std::size_t message_size_limit =
        4096;  // Bytes of content. The room checks it too; here it keeps queues small.
    std::size_t joins_max = 100;      // Memberships of one connection.
    std::size_t requests_max = 1024;  // Requests without an answer so far.
    std::size_t held_max = 256;       // Frames that wait for the decision on a join, of one topic.
    std::size_t held_bytes_max = 512 * 1024;  // The same in bytes as received, of all topics.
    std::size_t strikes_max = 1000;  // Refusals for rate in a row before the connection is closed.
    engine::RateLimiter::Options frames{
        .messages_per_sec = 100, .burst = 200, .buckets_max = 1};  // Heartbeats apart.
    Duration authorize_deadline = std::chrono::seconds(1);
    bool authorize = false;  // There is an auth adapter to ask.
    std::string node;        // The name of this node, told in join replies.
};

/// One client's conversation over the Phoenix Channels protocol, V2: its memberships, each a small
/// state machine, and the answers it waits for. Takes decoded messages, writes frames to the
/// outbox. Without I/O; lives on its shard's loop.
///
/// Frames of one topic are handled in order; those behind a join wait for its decision.
class Session final : public Subscriber {
public:
    Session(const SessionOptions& options, SessionPort& port, Outbox& outbox, UserId user);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() override;  // Leaves all rooms.

    /// A complete text message.
    void on_text(std::string_view text, proto::json::Parser& parser);

    /// A complete binary message; none is understood so far.
    void on_binary();

    void on_reply(engine::Replied reply) override;
    void on_authorized(const Authorized& answer) override;
    void on_event(const RoomEvent& event) override;

    /// Lets time pass: questions to the auth adapter without an answer.
    void tick(TimePoint now);

    /// Writes a close frame; the connection ends once it is sent. Only the first one counts.
    void close(proto::websocket::CloseCode code, std::string_view reason);

    [[nodiscard]] std::optional<proto::websocket::CloseCode> closed() const { return closed_; }

    [[nodiscard]] const UserId& user() const { return user_; }

    [[nodiscard]] std::uint64_t id() const { return id_; }

    [[nodiscard]] std::size_t membership_count() const { return memberships_.size(); }

private:
    using Frame = proto::phoenix::Frame;
    using Ref = proto::phoenix::Ref;

    /// A join that waits for the auth adapter.
    struct Asking {
        engine::Join command;  // For the room, once it is allowed.
        TimePoint answer_by;
    };

    /// A join on its way.
    struct Joining {
        Ref join_ref;
        Ref ref;
        std::uint64_t request = 0;
        std::optional<Asking> asking;
    };

    /// A join that was answered with ok.
    struct Joined {
        Ref join_ref;  // As the client sent it, perhaps null.
        Ref id;        // What our frames carry: the same, or the join's `ref` when it was null.
    };

    /// A frame that waits, and its size as it was received.
    struct Held {
        Frame frame;
        std::size_t bytes = 0;
    };

    struct Membership {
        RoomId room;
        std::optional<Joined> joined;
        std::optional<Joining> joining;  // With `joined`: a duplicate join.
        std::deque<Held> held;           // Came while joining.
    };

    using Memberships = std::map<std::string, Membership, std::less<>>;

    /// A push that waits for its answer.
    struct Pending {
        std::string topic;
        Ref join_ref;
        Ref ref;
        bool oldest_first = true;  // Of a page of history: the end at which it may be cut.
    };

    void on_frame(Frame frame, std::size_t bytes);
    void on_topic_frame(Frame frame, std::size_t bytes);
    void handle(Memberships::iterator membership, Frame frame, std::size_t bytes);
    void hold(Membership& membership, Frame frame, std::size_t bytes);
    void join(Frame frame);
    void start_join(Membership& membership, Frame frame);
    void leave(Memberships::iterator membership, const Frame& frame);
    void push(Membership& membership, Frame frame);
    [[nodiscard]] Result<engine::Send> to_send(const Frame& frame, std::uint64_t request) const;
    void count_refusal(Reason reason);

    void on_joined(const engine::Replied& reply);
    void accept_join(Memberships::iterator membership, const engine::JoinReply& reply);
    void refuse_join(Memberships::iterator membership, const Error& error);
    void leave_room(const RoomId& room);
    void release(std::deque<Held> held);

    [[nodiscard]] bool within_rate(const Frame& frame);
    void reply_ok(const Ref& join_ref, const Frame& frame, std::string_view response);
    void reply_error(const Ref& join_ref, const Frame& frame, const Error& error);
    void unmatched(const Frame& frame);
    template <class Encode>
    void write(Encode&& encode);

    [[nodiscard]] engine::MemberKey member() const;
    [[nodiscard]] engine::ReplyTo reply_to(std::uint64_t request) const;

    const SessionOptions& options_;
    SessionPort& port_;
    Outbox& outbox_;
    UserId user_;
    std::uint64_t id_ = 0;
    std::uint64_t last_request_ = 0;
    Memberships memberships_;
    std::unordered_map<std::uint64_t, Pending> pending_;
    std::unordered_map<std::uint64_t, std::string> joins_;  // Request to topic.
    engine::RateLimiter frames_;
    std::size_t strikes_ = 0;
    std::size_t held_bytes_ = 0;
    std::optional<proto::websocket::CloseCode> closed_;
};

}  // namespace chatx::node
