#include "node/gateway/long_poll.h"

#include "node/net/secret.h"

#include <exception>
#include <utility>

namespace chatx::node {

namespace websocket = proto::websocket;

LongPoll::LongPoll(
    const PollSession::Options& options, const SessionOptions& session, Wiring wiring)
    : options_(options), session_options_(session), wiring_(std::move(wiring)) {}

LongPoll::~LongPoll() = default;

std::optional<std::string> LongPoll::open(Client client) {
    if (!wiring_.admission.admit(client.user)) return std::nullopt;
    if (!wiring_.admission.admit_session(client.peer)) {
        wiring_.admission.release(client.user);
        return std::nullopt;
    }
    const std::uint64_t number = ++last_session_;
    Served served;
    served.token = {wiring_.shard, number, draw_secret()};
    served.session = std::make_unique<PollSession>(
        options_,
        session_options_,
        wiring_.port,
        SessionClient{
            std::move(client.user), client.version, wiring_.admission.frames_of(client.peer)},
        [this, number] { mark(number); });
    served.peer = std::move(client.peer);
    std::string token = served.token.to_text();
    sessions_.emplace(number, std::move(served));
    wiring_.metrics.long_poll_opened();
    return token;
}

std::uint64_t LongPoll::get(std::string_view token, PollAsker& asker) {
    return ask(token, asker, [](LongPoll& there, const PollToken& named, PollTicket ticket) {
        there.on_get(named, ticket);
    });
}

std::uint64_t LongPoll::post(
    std::string_view token, std::string content_type, std::string body, PollAsker& asker) {
    return ask(
        token,
        asker,
        [type = std::move(content_type), said = std::move(body)](
            LongPoll& there, const PollToken& named, PollTicket ticket) {
            there.on_post(named, ticket, type, said);
        });
}

void LongPoll::abandon(std::uint64_t number) {
    const auto asked = asked_.extract(number);
    if (asked.empty() || !asked.mapped().token) return;
    const PollToken token = *asked.mapped().token;
    const PollTicket ticket{wiring_.shard, number};
    run_at(token.shard, [token, ticket](LongPoll& there) {
        const auto served = there.find(token);
        if (served == there.sessions_.end()) return;
        served->second.session->abandon(ticket, there.wiring_.port.now());
    });
}

// What is noted meanwhile is for the next flush.
void LongPoll::flush() {
    const TimePoint now = wiring_.port.now();
    for (const std::uint64_t number : std::exchange(changed_, {})) {
        const auto served = sessions_.find(number);
        if (served == sessions_.end()) continue;
        served->second.changed = false;
        if (served->second.session->over()) {
            end_over(served);
        } else {
            queue(served->second.session->next(now), number);
        }
    }
    for (Outgoing& outgoing : std::exchange(outgoing_, {})) {
        run_at(
            outgoing.reply.to.shard,
            [answered = std::move(outgoing.reply), shard = wiring_.shard, from = outgoing.session](
                LongPoll& there) mutable { there.on_reply(std::move(answered), shard, from); });
    }
}

void LongPoll::tick(TimePoint now) {
    for (auto next = sessions_.begin(); next != sessions_.end();) {
        const auto served = next++;
        if (served->second.session->expired(now)) {
            end(served, websocket::CloseCode::going_away);
        } else {
            queue(served->second.session->tick(now), served->first);
        }
    }
}

std::size_t LongPoll::drain(std::size_t count) {
    for (; count > 0 && !sessions_.empty(); --count)
        end(sessions_.begin(), websocket::CloseCode::service_restart);
    return sessions_.size();
}

void LongPoll::stop() {
    drain(sessions_.size());
    outgoing_.clear();
}

std::size_t LongPoll::waiting_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [number, served] : sessions_)
        bytes += served.session->waiting_bytes();
    return bytes;
}

std::uint64_t LongPoll::ask(std::string_view token, PollAsker& asker, Visit visit) {
    const PollTicket ticket{wiring_.shard, ++last_number_};
    auto named = PollToken::parse(token);
    if (named && named->shard >= wiring_.shards) named.reset();
    asked_.emplace(ticket.number, Asked{&asker, named});
    try {
        if (named) {
            run_at(named->shard, [visit = std::move(visit), named, ticket](LongPoll& there) {
                visit(there, *named, ticket);
            });
        } else {
            reply_unknown(ticket);
        }
    } catch (...) {
        asked_.erase(ticket.number);  // The asker may not stay.
        throw;
    }
    return ticket.number;
}

void LongPoll::run_at(std::uint16_t shard, std::function<void(LongPoll&)> what) {
    if (shard == wiring_.shard) return what(*this);
    wiring_.relay(shard, std::move(what));
}

LongPoll::Sessions::iterator LongPoll::find(const PollToken& token) {
    const auto served = sessions_.find(token.session);
    const bool proven = served != sessions_.end() && served->second.token.same_secret(token);
    return proven ? served : sessions_.end();
}

void LongPoll::on_get(const PollToken& token, PollTicket ticket) {
    const auto served = find(token);
    if (served == sessions_.end()) return reply_unknown(ticket);
    queue(served->second.session->get(ticket, wiring_.port.now()), served->first);
    mark(served->first);
}

// What goes wrong with one client ends with its session.
void LongPoll::on_post(
    const PollToken& token,
    PollTicket ticket,
    std::string_view content_type,
    std::string_view body) {
    const auto served = find(token);
    if (served == sessions_.end()) return reply_unknown(ticket);
    PollSession& session = *served->second.session;
    bool taken = false;
    try {
        taken = session.post(content_type, body, wiring_.parser);
    } catch (const std::exception& exception) {
        wiring_.log.error(
            "long-poll session failed",
            {{"peer", served->second.peer.to_string()}, {"error", exception.what()}});
        session.close(websocket::CloseCode::internal_error, {});
    }
    queue(
        PollReply{ticket, {taken ? PollStatus::ok : PollStatus::not_taken, {}, true}},
        served->first);
}

void LongPoll::on_settled(std::uint64_t session, std::vector<std::string> returned) {
    const auto served = sessions_.find(session);
    if (served == sessions_.end()) return;
    served->second.session->settled(std::move(returned));
    mark(session);
}

void LongPoll::mark(std::uint64_t session) {
    const auto served = sessions_.find(session);
    if (served == sessions_.end() || std::exchange(served->second.changed, true)) return;
    changed_.push_back(session);
    wiring_.wake();
}

void LongPoll::queue(std::optional<PollReply> reply, std::uint64_t session) {
    if (!reply) return;
    outgoing_.push_back({*std::move(reply), session});
    wiring_.wake();
}

void LongPoll::reply_unknown(PollTicket ticket) {
    queue(PollReply{ticket, {PollStatus::gone, {}, false}}, 0);
}

void LongPoll::end_over(Sessions::iterator served) {
    const PollSession& session = *served->second.session;
    if (!session.too_slow()) return end(served, *session.session().closed());
    wiring_.metrics.count_slow_consumer();
    wiring_.log.info(
        "slow consumer cut",
        {{"peer", served->second.peer.to_string()},
         {"user", session.session().user().text()},
         {"outbox_bytes", session.waiting_bytes()}});
    end(served, websocket::CloseCode::try_again_later);
}

void LongPoll::end(Sessions::iterator served, websocket::CloseCode code) {
    queue(served->second.session->last(), served->first);
    const UserId& user = served->second.session->session().user();
    wiring_.metrics.long_poll_closed();
    wiring_.log.debug(
        "long-poll session ended",
        {{"peer", served->second.peer.to_string()},
         {"user", user.text()},
         {"code", static_cast<unsigned>(code)}});
    wiring_.admission.release(user);
    const boost::asio::ip::address peer = served->second.peer;
    sessions_.erase(served);  // Before the bucket that it takes from.
    wiring_.admission.release_session(peer);
}

void LongPoll::on_reply(PollReply reply, std::uint16_t shard, std::uint64_t session) {
    const auto asked = asked_.extract(reply.to.number);
    const bool written = !asked.empty() && asked.mapped().asker->on_poll_answer(reply.answer);
    if (reply.answer.frames.empty()) return;
    auto returned = written ? std::vector<std::string>() : std::move(reply.answer.frames);
    run_at(shard, [session, frames = std::move(returned)](LongPoll& there) mutable {
        there.on_settled(session, std::move(frames));
    });
}

}  // namespace chatx::node
