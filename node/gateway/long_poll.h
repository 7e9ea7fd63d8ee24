#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "node/gateway/poll_answer.h"
#include "node/gateway/poll_session.h"
#include "node/gateway/poll_token.h"
#include "node/gateway/session.h"
#include "node/log.h"
#include "node/metrics.h"
#include "node/net/admission.h"
#include "proto/json.h"
#include "proto/phoenix.h"
#include "proto/websocket.h"

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace chatx::node {

/// Who waits for the answer to a request.
class PollAsker {
public:
    PollAsker() = default;
    PollAsker(const PollAsker&) = delete;
    PollAsker& operator=(const PollAsker&) = delete;
    virtual ~PollAsker() = default;

    /// The answer, once. False when the client is known not to get it.
    [[nodiscard]] virtual bool on_poll_answer(const PollAnswer& answer) = 0;
};

/// The long-poll sessions of one shard, and the way to those of the others: the network spreads the
/// requests of a client over the shards, while its session stays where it was opened.
///
///     connection --get, post--> LongPoll ----relay----> LongPoll --> PollSession
///     (any shard)  <--answer--  (the same) <--relay---- (the one that the token names)
///
/// A request is known by its ticket, never by a pointer, to the shard that has the session. Its
/// answer comes at the end of a turn at the earliest, never from inside `get` or `post`; when by
/// then the client is gone, or the write fails at once, the frames go back to the session.
///
/// A session ends when no poll comes for 1.5 windows, when it closes (a malformed frame, strikes),
/// when its frames are beyond a bound, and with the node. It counts for its user like a WebSocket;
/// for its address and the node as Admission says. Lives on the shard's loop.
class LongPoll {
public:
    /// All of it outlives this.
    struct Wiring {
        std::uint16_t shard = 0;
        std::uint16_t shards = 1;
        SessionPort& port;
        Admission& admission;
        ShardMetrics& metrics;
        Logger& log;
        proto::json::Parser& parser;

        /// Runs something with the LongPoll of another shard, on that one's loop.
        std::function<void(std::uint16_t, std::function<void(LongPoll&)>)> relay;

        std::function<void()> wake;  // Asks for a `flush` at the end of this turn.
    };

    /// Who asks for a session. Its address has a connection.
    struct Client {
        UserId user;
        proto::phoenix::Version version;
        boost::asio::ip::address peer;
    };

    /// The options outlive this.
    LongPoll(const PollSession::Options& options, const SessionOptions& session, Wiring wiring);
    LongPoll(const LongPoll&) = delete;
    LongPoll& operator=(const LongPoll&) = delete;
    ~LongPoll();

    /// Opens a session and returns its token. Nothing when there are too many.
    [[nodiscard]] std::optional<std::string> open(Client client);

    /// A poll of the session that the token names, on whichever shard. Returns the number of the
    /// request; until it is answered or abandoned `asker` must stay.
    [[nodiscard]] std::uint64_t get(std::string_view token, PollAsker& asker);

    /// The same with what the client says. `content_type` and `body` as in the request.
    [[nodiscard]] std::uint64_t post(
        std::string_view token, std::string content_type, std::string body, PollAsker& asker);

    /// The asker of the request goes.
    void abandon(std::uint64_t number);

    /// Gives out what there is to answer. At the end of a turn; not from inside a session.
    void flush();

    /// Lets time pass: windows that are over, sessions that nobody polls.
    void tick(TimePoint now);

    /// Ends up to `count` sessions, and returns how many are left. Polls that wait at them are
    /// answered with 410, which makes clients connect anew.
    std::size_t drain(std::size_t count);

    /// Ends all of them.
    void stop();

    [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

    /// Requests of this shard's connections that are not answered yet.
    [[nodiscard]] std::size_t waiting_count() const { return asked_.size(); }

    /// Bytes of frames that wait for polls.
    [[nodiscard]] std::size_t waiting_bytes() const;

private:
    /// A session, and what it is known and counted by.
    struct Served {
        PollToken token;
        boost::asio::ip::address peer;
        std::unique_ptr<PollSession> session;
        bool changed = false;  // In the list of those.
    };

    /// A request that is not answered yet.
    struct Asked {
        PollAsker* asker = nullptr;
        std::optional<PollToken> token;
    };

    /// A reply and the session it is of, if it is of one.
    struct Outgoing {
        PollReply reply;
        std::uint64_t session = 0;
    };

    using Sessions = std::unordered_map<std::uint64_t, Served>;
    using Visit = std::function<void(LongPoll&, const PollToken&, PollTicket)>;

    std::uint64_t ask(std::string_view token, PollAsker& asker, Visit visit);
    void run_at(std::uint16_t shard, std::function<void(LongPoll&)> what);

    // At the shard of the session.
    [[nodiscard]] Sessions::iterator find(const PollToken& token);
    void on_get(const PollToken& token, PollTicket ticket);
    void on_post(
        const PollToken& token,
        PollTicket ticket,
        std::string_view content_type,
        std::string_view body);
    void on_settled(std::uint64_t session, std::vector<std::string> returned);
    void mark(std::uint64_t session);
    void queue(std::optional<PollReply> reply, std::uint64_t session);
    void reply_unknown(PollTicket ticket);
    void end(Sessions::iterator served, proto::websocket::CloseCode code);
    void end_over(Sessions::iterator served);

    // At the shard of the connection.
    void on_reply(PollReply reply, std::uint16_t shard, std::uint64_t session);

    const PollSession::Options& options_;
    const SessionOptions& session_options_;
    Wiring wiring_;
    Sessions sessions_;
    std::uint64_t last_session_ = 0;
    std::vector<std::uint64_t> changed_;  // Sessions to look at when flushing.
    std::vector<Outgoing> outgoing_;
    std::unordered_map<std::uint64_t, Asked> asked_;  // By number.
    std::uint64_t last_number_ = 0;
};

}  // namespace chatx::node
