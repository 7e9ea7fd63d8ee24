#pragma once

#include <chatx/time.h>

#include "node/gateway/poll_answer.h"
#include "node/gateway/poll_transport.h"
#include "node/gateway/session.h"
#include "proto/json.h"
#include "proto/websocket.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// A Session whose client polls. At most one poll waits at it, until there are frames or the window
/// is over. Owned by LongPoll, which carries the replies; lives on its loop; without I/O.
///
/// Frames are given away one batch at a time: until the asking connection says that it has written
/// a batch, or gives it back because its client is gone, further polls wait. So frames keep their
/// order, and none is lost to a connection that is known to be dead.
class PollSession {
public:
    struct Options {
        Duration window = std::chrono::seconds(10);  // Clients themselves wait 20 s.
        PollTransport::Limits transport;

        /// Without a poll for this long, the client is gone.
        [[nodiscard]] Duration silence_max() const { return window + window / 2; }
    };

    /// `on_change` is called when `next` may have a reply or `over` may have become true. The
    /// options and the port outlive the session.
    PollSession(
        const Options& options,
        const SessionOptions& session,
        SessionPort& port,
        SessionClient client,
        std::function<void()> on_change);
    PollSession(const PollSession&) = delete;
    PollSession& operator=(const PollSession&) = delete;
    ~PollSession() = default;

    /// A poll, which waits from now on. The reply is for the one it supersedes.
    [[nodiscard]] std::optional<PollReply> get(PollTicket ticket, TimePoint now);

    /// What the client says. False when it ended the session; then nothing behind it was taken.
    [[nodiscard]] bool post(
        std::string_view content_type, std::string_view body, proto::json::Parser& parser);

    /// The client does not wait any more.
    void abandon(PollTicket ticket, TimePoint now);

    /// What the connection did with the last batch: frames that come back were not written.
    void settled(std::vector<std::string> returned);

    /// The reply to the poll that waits, if there are frames for it.
    [[nodiscard]] std::optional<PollReply> next(TimePoint now);

    /// The reply to the poll that waits, if it has waited for a window.
    [[nodiscard]] std::optional<PollReply> tick(TimePoint now);

    /// The session must end: it is closed, or its client is too slow.
    [[nodiscard]] bool over() const { return session_.closed() || transport_.full(); }

    [[nodiscard]] bool too_slow() const { return transport_.full(); }

    /// No poll has come for too long.
    [[nodiscard]] bool expired(TimePoint now) const;

    void close(proto::websocket::CloseCode code, std::string_view reason) {
        session_.close(code, reason);
    }

    /// The reply to the poll that waits, when the session ends.
    [[nodiscard]] std::optional<PollReply> last() { return reply({PollStatus::gone, {}, true}); }

    [[nodiscard]] const Session& session() const { return session_; }

    [[nodiscard]] std::size_t waiting_bytes() const { return transport_.bytes(); }

private:
    [[nodiscard]] std::optional<PollReply> reply(PollAnswer answer);

    const Options& options_;
    PollTransport transport_;
    Session session_;
    std::optional<PollTicket> waiting_;
    TimePoint since_;      // Of `waiting_`; without it, the client was last heard or answered then.
    bool handed_ = false;  // A batch is on its way.
};

}  // namespace chatx::node
