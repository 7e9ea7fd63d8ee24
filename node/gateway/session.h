#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "node/edge.h"
#include "node/gateway/frame_limiter.h"
#include "node/gateway/transport.h"
#include "node/messages.h"
#include "node/refusals.h"
#include "proto/json.h"
#include "proto/phoenix.h"
#include "proto/websocket.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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

    /// The node is about to stop: it takes nothing new.
    [[nodiscard]] virtual bool draining() const = 0;

    /// A request that ended at the session, to be counted.
    virtual void count(const engine::Event& event) = 0;
    virtual void count(FrameLimit limit) = 0;

    // An event was left out for a slow client; one membership was told so.
    virtual void count_left_out() {}

    virtual void count_gap() {}
};

struct SessionOptions {
    std::size_t message_size_limit =
        4096;  // Bytes of content. The room checks it too; here it keeps queues small.
    std::size_t joins_max = 100;      // Memberships of one connection.
    std::size_t requests_max = 1024;  // Requests without an answer so far.
    std::size_t held_max = 256;       // Frames that wait for the decision on a join, of one topic.
    std::size_t held_bytes_max =
        std::size_t{512} * 1024;  // The same in bytes as received, of all topics.
    FrameLimiter::Options rates;
    bool gaps = false;       // A slow client misses events and is told which, instead of being cut.
    bool authorize = false;  // There is an auth adapter to ask.
    std::string node;        // The name of this node, told in join replies.
};

/// Who talks, and how.
struct SessionClient {
    UserId user;
    proto::phoenix::Version version = proto::phoenix::Version::v2;
    SharedTokenBucket* address = nullptr;  // All clients of its address take from it, if there is.
};

/// One client's conversation over the Phoenix Channels protocol: its memberships, each a small
/// state machine, and the answers it waits for. Takes whole messages, gives whole messages to its
/// transport. Without I/O; lives on its shard's loop.
///
/// Frames of one topic are handled in order; those behind a join wait for its decision.
///
/// With `SessionOptions::gaps`, events of rooms that do not fit the transport are left out, replies
/// never. From the first on the room is silent until the client has caught up. Then, if only
/// messages were left out, the client is told from which to which (`gap`), and may read them with
/// `history`; if presence was, the membership ends with `phx_error`, so that the client joins again
/// and gets both afresh. Typing and signals are promised to nobody: that they are missing is not
/// told.
class Session final : public Subscriber {
public:
    /// All but the client outlive the session.
    Session(
        const SessionOptions& options,
        SessionPort& port,
        Transport& transport,
        SessionClient client);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() override;  // Leaves all rooms.

    /// A complete text message.
    void on_text(std::string_view text, proto::json::Parser& parser);

    /// A complete binary message.
    void on_binary(std::string_view message);

    /// A frame of the WebSocket protocol that is no message: a ping, a pong, an empty fragment.
    /// False when it is beyond the rate, and to be ignored.
    [[nodiscard]] bool on_control_frame();

    void on_reply(engine::Replied reply) override;
    void on_authorized(const Authorized& answer) override;
    void on_event(const EdgeEvent& event) override;
    void on_room_reset(const RoomId& room) override;

    /// The transport has passed something on: tells what was left out, once it has caught up.
    void on_flushed();

    /// Writes a close frame; the connection ends once it is sent. Only the first one counts.
    void close(proto::websocket::CloseCode code, std::string_view reason);

    [[nodiscard]] std::optional<proto::websocket::CloseCode> closed() const { return closed_; }

    [[nodiscard]] const UserId& user() const { return client_.user; }

    [[nodiscard]] std::uint64_t id() const { return id_; }

    [[nodiscard]] std::size_t membership_count() const { return memberships_.size(); }

    // For operators.
    [[nodiscard]] proto::phoenix::Version version() const { return client_.version; }

    /// Of its memberships, joins on their way included.
    [[nodiscard]] std::vector<std::string> topics() const;

    /// Frames of the client, and of them those that were answered with an error here.
    [[nodiscard]] std::uint64_t frames_in() const { return frames_in_; }

    [[nodiscard]] std::uint64_t refused() const { return refused_; }

    [[nodiscard]] std::size_t strikes() const { return limiter_.strikes(); }

    /// Gaps told so far.
    [[nodiscard]] std::uint64_t gaps() const { return gaps_; }

private:
    using Frame = proto::phoenix::Frame;
    using Ref = proto::phoenix::Ref;

    /// A join on its way.
    struct Joining {
        Ref join_ref;
        Ref ref;
        std::uint64_t request = 0;
        std::optional<engine::Join> command;  // For the room, once the auth adapter allows it.
    };

    /// A join that was answered with ok.
    struct Joined {
        Ref join_ref;  // As the client sent it, perhaps null.
        Ref id;        // What our frames carry: the same, or the join's `ref` when it was null.
    };

    /// A frame, and its size as it was received.
    struct Received {
        Frame frame;
        std::optional<std::string> binary;  // In place of the frame's payload.
        std::size_t bytes = 0;
    };

    /// A signal that waits for the auth adapter.
    struct AskedSignal {
        std::uint64_t request = 0;
        Received received;
    };

    struct Membership {
        RoomId room;
        std::optional<Joined> joined;
        std::optional<Joining> joining;  // With `joined`: a duplicate join.
        std::optional<AskedSignal> asked;
        std::vector<Received> held;  // Came while the join, or the signal, is not decided.
    };

    using Memberships = std::map<std::string, Membership, std::less<>>;

    /// What was left out of a room.
    struct Missed {
        std::optional<Seq> from;  // Messages, the first and the last.
        Seq to;
        bool presence = false;
    };

    /// A push that waits for its answer.
    struct Pending {
        std::string topic;
        Ref join_ref;
        Ref ref;
        bool oldest_first = true;  // Of a page of history: the end at which it may be cut.
    };

    void on_frame(Received received);
    void on_topic_frame(Received received);
    void handle(Memberships::iterator membership, Received received);
    void hold(Membership& membership, Received received);
    void join(const Frame& frame);
    void start_join(Membership& membership, const Frame& frame);
    void leave(Memberships::iterator membership, const Frame& frame);
    void push(Membership& membership, Received received);
    void push_binary(Membership& membership, Received received);
    void type(const Membership& membership, const Frame& frame);
    void send(const Membership& membership, const Frame& frame);
    void read_history(const Membership& membership, const Frame& frame);
    void count_refusal(Reason reason);
    void count_unauthorized(const Authorized& answer);

    void signal(const Membership& membership, Received received);
    void on_signal_authorized(const Authorized& answer);
    void on_joined(const engine::Replied& reply);
    void accept_join(Memberships::iterator membership, const engine::JoinReply& reply);
    void refuse_join(Memberships::iterator membership, const Error& error);
    void leave_room(const RoomId& room);
    void release(std::vector<Received> held);

    [[nodiscard]] bool passes(const Frame& frame);
    [[nodiscard]] bool within(const Frame& frame, const FrameLimiter::Outcome& refused);
    [[nodiscard]] bool cut_off(const FrameLimiter::Refused& refused);
    void reply_ok(const Ref& join_ref, const Frame& frame, std::string_view response);
    void reply_ok_binary(const Ref& join_ref, const Frame& frame);
    void reply_error(const Ref& join_ref, const Frame& frame, const Error& error);
    void unmatched(const Frame& frame);
    void write_close(const Ref& join_ref, std::string_view topic);
    void write_error(const Ref& join_ref, std::string_view topic, std::string_view reason);
    void leave_out(const EdgeEvent& event);
    void tell_missed(const RoomId& room, const Missed& missed);
    void write_push(
        const Ref& id, std::string_view topic, std::string_view event, std::string_view payload);
    template <class Encode>
    void write(Encode&& encode);

    [[nodiscard]] bool hears_binary() const;
    [[nodiscard]] engine::MemberKey member() const;
    [[nodiscard]] engine::ReplyTo reply_to(std::uint64_t request) const;

    const SessionOptions& options_;
    SessionPort& port_;
    Transport& transport_;
    SessionClient client_;
    std::uint64_t id_ = 0;
    std::uint64_t frames_in_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t gaps_ = 0;
    std::uint64_t last_request_ = 0;
    Memberships memberships_;
    std::unordered_map<std::uint64_t, Pending> pending_;
    std::unordered_map<std::uint64_t, std::string> joins_;    // Request to topic.
    std::unordered_map<std::uint64_t, std::string> signals_;  // Request to topic.
    std::map<RoomId, Missed> missed_;
    FrameLimiter limiter_;
    std::size_t held_bytes_ = 0;
    std::optional<proto::websocket::CloseCode> closed_;
};

}  // namespace chatx::node
