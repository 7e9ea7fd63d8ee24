#include "node/gateway/admin_rooms.h"

#include "node/core.h"
#include "node/gateway/query_reader.h"
#include "node/payloads.h"
#include "placement/slots.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>
#include <variant>

namespace chatx::node {

namespace asio = boost::asio;
namespace json = proto::json;

namespace {

constexpr std::size_t rows_default = 100;
constexpr std::size_t rows_max = log_page_max - 1;  // One more tells whether there are more.
constexpr std::size_t history_default = 50;

/// A room gives up on a send after 5 s itself, and says so.
constexpr auto send_wait = std::chrono::seconds(6);

/// Whom a listener's room takes it for. Nobody sees it.
UserId operator_user() {
    return UserId::parse("chatxctl").value();
}

std::vector<RoomRow> rows_in_memory(
    const RoomHost& rooms, const std::optional<RoomId>& after, std::size_t limit) {
    std::vector<RoomRow> rows;
    for (const engine::Room* room : rooms.list(after, limit))
        rows.push_back(row_of(*room));
    return rows;
}

std::vector<RoomRow> rows_of(const std::vector<RoomHead>& heads) {
    std::vector<RoomRow> rows;
    rows.reserve(heads.size());
    for (const RoomHead& head : heads)
        rows.push_back(row_of(head));
    return rows;
}

std::string message_line(const Message& message) {
    return "{\"message\":" + to_json(message) + "}";
}

void next_member(json::Writer& writer, std::string_view next) {
    writer.key("next");
    if (next.empty()) {
        writer.null();
    } else {
        writer.string(next);
    }
}

}  // namespace

/// Who is in a room, from its owner.
struct AdminRooms::Members {
    RoomId room;
    std::shared_ptr<const engine::PresenceMap> users;
    std::size_t connections = 0;
    std::size_t listeners = 0;
};

/// A message that an operator says.
struct AdminRooms::Post {
    RoomId room;
    engine::Send send;
};

/// A visit for one question: ends with the scope.
class AdminRooms::Visit {
public:
    Visit(AdminRooms& rooms, RoomId room)
        : rooms_(rooms), room_(std::move(room)), id_(++rooms.last_visit_) {}

    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    ~Visit() { rooms_.end_visit(room_, id_); }

    void begin(RoomVisitor::Ears ears, std::function<void(RoomVisitor&)> request) {
        rooms_.begin_visit(room_, id_, std::move(ears), std::move(request));
    }

private:
    AdminRooms& rooms_;
    RoomId room_;
    std::uint64_t id_;
};

AdminRooms::AdminRooms(const AdminContext& context)
    : context_(context), visitors_(context.shards.size()) {}

AdminRooms::~AdminRooms() = default;

AdminRooms::Answer AdminRooms::list(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const std::string after(query.text("after"));
    const auto limit =
        query.number("limit", {.fallback = rows_default, .least = 1, .most = rows_max});
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    std::optional<RoomId> behind;
    if (auto parsed = RoomId::parse(after)) behind = *std::move(parsed);

    using Rows = std::vector<RoomRow>;
    auto pages = co_await context_.questions.ask_all<Rows>(
        {.count = context_.shards.size(), .wait = admin_wait},
        [&](const Questions::Reply<Rows>& reply) {
            for (const auto& shard : context_.shards) {
                shard->call([=](Shard& own) {
                    reply(rows_in_memory(own.core().rooms(), behind, limit + 1));
                });
            }
        });
    bool complete = pages.size() == context_.shards.size();
    if (context_.store) {
        using Heads = Result<std::vector<RoomHead>>;
        const auto heads = co_await context_.questions.ask<Heads>(
            admin_wait, [&](const Questions::Reply<Heads>& reply) {
                Log& log = context_.store->log;
                context_.store->worker.on_reader(
                    [&log, reply, after, limit] { reply(log.rooms(after, limit + 1)); });
            });
        if (heads && *heads) {
            pages.push_back(rows_of(**heads));
        } else {
            complete = false;
        }
    }
    const RoomRows page = merge_rows(pages, limit);
    co_return admin_answer("chatx.rooms.v1", {context_.node, complete}, [&](json::Writer& writer) {
        writer.key("rooms");
        writer.begin_array();
        for (const RoomRow& row : page.rows) {
            writer.begin_object();
            write_row(writer, row, context_.node);
            writer.end_object();
        }
        writer.end_array();
        next_member(writer, page.more ? page.rows.back().room.text() : std::string_view());
    });
}

AdminRooms::Answer AdminRooms::info(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const auto room = query.room();
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const Found found = co_await find(*room);
    if (const auto refusal = missing(found)) co_return refused(*refusal);
    co_return admin_answer(
        "chatx.room.v1", {context_.node, found.complete}, [&](json::Writer& writer) {
            write_row(writer, *found.row, context_.node);
        });
}

// A room that nobody has spoken in has an owner as well.
AdminRooms::Answer AdminRooms::where(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const auto room = query.room();
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const Found found = co_await find(*room);
    co_return admin_answer(
        "chatx.room-where.v1", {context_.node, found.complete}, [&](json::Writer& writer) {
            text_member(writer, "room", room->text());
            number_member(writer, "slot", placement::slot_of(*room).value);
            text_member(writer, "owner", context_.node);
            writer.key("replicas");
            writer.begin_array();
            writer.end_array();
            text_member(writer, "epoch", found.row ? to_text(found.row->epoch) : std::string());
            number_member(writer, "seq", found.row ? found.row->seq.value : 0);
            text_member(writer, "state", found.row ? state_of(*found.row) : "unused");
        });
}

AdminRooms::Answer AdminRooms::members(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const auto room = query.room();
    const std::string after(query.text("after"));
    const auto limit =
        query.number("limit", {.fallback = rows_default, .least = 1, .most = rows_max});
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const Found found = co_await find(*room);
    if (const auto refusal = missing(found)) co_return refused(*refusal);

    auto members = co_await context_.questions.ask<Members>(
        admin_wait, [&](const Questions::Reply<Members>& reply) {
            owner(*room).call([reply, name = *room](Shard& own) {
                Members answer{name, std::make_shared<const engine::PresenceMap>(), 0, 0};
                if (const engine::Room* live = own.core().rooms().find(name)) {
                    answer.users = live->presence().state();
                    answer.connections = live->presence().member_count();
                    answer.listeners = live->subscriber_count() - answer.connections;
                }
                reply(std::move(answer));
            });
        });
    if (!members) co_return refused(timed_out("The room's shard"));
    co_return members_page(*members, after, limit);
}

AdminRooms::Answer AdminRooms::history(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const auto room = query.room();
    HistoryRange range;
    if (const auto after = query.number("after")) range.after = Seq{*after};
    if (const auto before = query.number("before")) range.before = Seq{*before};
    if (const auto id = query.number("after_id")) range.after_id = MessageId{*id};
    range.limit = static_cast<std::uint32_t>(
        query.number("limit", {.fallback = history_default, .least = 1, .most = history_page_max}));
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const Found found = co_await find(*room);
    if (const auto refusal = missing(found)) co_return refused(*refusal);

    const auto reply =
        co_await ask_room(*room, [range](RoomVisitor& visitor) { visitor.read(range); });
    if (!reply) co_return refused(timed_out("The room"));
    co_return history_page(*reply, range.after.has_value() || range.after_id.has_value());
}

AdminRooms::Answer AdminRooms::tail(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const auto room = query.room();
    const auto past = static_cast<std::uint32_t>(
        query.number("history", {.fallback = 10, .most = history_page_max}));
    if (const auto refusal = query.refusal()) co_return refused(*refusal);

    const std::uint64_t visit = ++last_visit_;
    auto feed = std::make_unique<LineFeed>(context_.io, [this, name = *room, visit] {
        feeds_.erase(visit);
        end_visit(name, visit);
    });
    feeds_.emplace(visit, feed.get());
    using Joined = Result<Done>;
    const auto joined = co_await context_.questions.ask<Joined>(
        send_wait, [&](const Questions::Reply<Joined>& reply) {
            begin_visit(*room, visit, ears_of(*room, visit, reply), [past](RoomVisitor& visitor) {
                visitor.listen(operator_user(), past);
            });
        });
    if (!joined) co_return refused(timed_out("The room"));
    if (!*joined) co_return refused(refusal_of(joined->error()));
    co_return HttpAnswer(std::move(feed));
}

AdminRooms::Answer AdminRooms::send(HttpRequest request, std::string body) {
    QueryReader query(request);
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    auto post = read_post(body);
    if (const auto* refusal = std::get_if<Refusal>(&post)) co_return refused(*refusal);
    const Post& said = std::get<Post>(post);
    const auto reply =
        co_await ask_room(said.room, [&said](RoomVisitor& visitor) { visitor.send(said.send); });
    if (!reply) co_return refused(timed_out("The room"));
    const auto& sent = std::get<Result<engine::SendReply>>(reply->what);
    if (!sent) co_return refused(refusal_of(sent.error()));
    co_return admin_answer("chatx.sent.v1", context_.all(), [&](json::Writer& writer) {
        text_member(writer, "room", said.room.text());
        text_member(writer, "id", to_text(sent->id));
        number_member(writer, "seq", sent->seq.value);
        text_member(writer, "epoch", to_text(sent->epoch));
        time_member(writer, "inserted_at", sent->inserted_at);
    });
}

AdminRooms::Answer AdminRooms::reset(HttpRequest request, std::string body) {
    QueryReader query(request);
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const auto parsed = parser_.parse(body);
    const auto* value = std::get_if<json::Value>(&parsed);
    const json::Value* member = value == nullptr ? nullptr : value->find("room");
    const std::string* text = member == nullptr ? nullptr : member->as_string();
    const auto room = RoomId::parse(text == nullptr ? std::string_view() : *text);
    if (!room) co_return refused(refusal_of(room.error()));

    using Subscribers = std::optional<std::size_t>;
    const auto ended = co_await context_.questions.ask<Subscribers>(
        admin_wait, [&](const Questions::Reply<Subscribers>& reply) {
            owner(*room).call([reply, name = *room](Shard& own) {
                const engine::Room* live = own.core().rooms().find(name);
                if (live == nullptr) return reply(std::nullopt);
                const std::size_t subscribers = live->subscriber_count();
                own.core().push(ResetRoom{name});
                own.turn();
                reply(subscribers);
            });
        });
    if (!ended) co_return refused(timed_out("The room's shard"));
    if (!*ended)
        co_return refused(
            {404, "not_found", "That room is not in memory on " + context_.node + "."});
    co_return admin_answer("chatx.room-reset.v1", context_.all(), [&](json::Writer& writer) {
        text_member(writer, "room", room->text());
        number_member(writer, "memberships", **ended);
    });
}

asio::awaitable<AdminRooms::Found> AdminRooms::find(RoomId room) {
    using Row = std::optional<RoomRow>;
    Found found;
    const auto live =
        co_await context_.questions.ask<Row>(admin_wait, [&](const Questions::Reply<Row>& reply) {
            owner(room).call([reply, room](Shard& own) {
                const engine::Room* in_memory = own.core().rooms().find(room);
                reply(in_memory == nullptr ? Row() : Row(row_of(*in_memory)));
            });
        });
    found.complete = live.has_value();
    if (live) found.row = *live;
    if (!context_.store) co_return found;

    using Stored = Result<StoredRoom>;
    const auto stored = co_await context_.questions.ask<Stored>(
        admin_wait, [&](const Questions::Reply<Stored>& reply) {
            Log& log = context_.store->log;
            context_.store->worker.on_reader(
                [&log, reply, room] { reply(log.open_room(room, 0)); });
        });
    if (!stored || !*stored) {
        found.complete = false;
    } else if ((*stored)->state.seq > Seq{}) {
        const engine::RoomState& state = (*stored)->state;
        RoomRow row = row_of(RoomHead{room, state.epoch, state.seq, state.last_inserted_at});
        found.row = found.row ? merged(*found.row, row) : std::move(row);
    }
    co_return found;
}

asio::awaitable<std::optional<engine::Replied>> AdminRooms::ask_room(
    RoomId room, std::function<void(RoomVisitor&)> request) {
    Visit visit(*this, std::move(room));
    auto reply = co_await context_.questions.ask<engine::Replied>(
        send_wait, [&](Questions::Reply<engine::Replied> answer) {
            visit.begin({.replied = std::move(answer)}, std::move(request));
        });
    co_return reply;
}

std::optional<Refusal> AdminRooms::missing(const Found& found) const {
    if (found.row) return std::nullopt;
    if (!found.complete) return timed_out("The room's shard or the store");
    return Refusal{404, "not_found", "There is no such room on " + context_.node + "."};
}

std::variant<AdminRooms::Post, Refusal> AdminRooms::read_post(std::string_view body) {
    const auto parsed = parser_.parse(body);
    const auto* value = std::get_if<json::Value>(&parsed);
    if (value == nullptr) return Refusal{400, "bad_request", "The body must be a JSON object."};
    const auto text = [&](std::string_view key) {
        const json::Value* member = value->find(key);
        const std::string* found = member == nullptr ? nullptr : member->as_string();
        return found == nullptr ? std::string() : *found;
    };
    auto room = RoomId::parse(text("room"));
    if (!room) return refusal_of(room.error());
    auto user = UserId::parse(text("user"));
    if (!user) return refusal_of(user.error());
    engine::Send send{
        .reply_to = {},
        .user = *std::move(user),
        .content = text("content"),
        .client_id = text("client_id"),
        .answers = std::nullopt};
    return Post{*std::move(room), std::move(send)};
}

HttpAnswer AdminRooms::refused(const Refusal& refusal) const {
    return admin_refusal(refusal, {context_.node, refusal.status != 504});
}

HttpAnswer AdminRooms::members_page(
    const Members& members, std::string_view after, std::size_t limit) const {
    auto user = members.users->upper_bound(std::string(after));
    return admin_answer("chatx.room-members.v1", context_.all(), [&](json::Writer& writer) {
        text_member(writer, "room", members.room.text());
        number_member(writer, "users", members.users->size());
        number_member(writer, "connections", members.connections);
        number_member(writer, "listeners", members.listeners);
        writer.key("members");
        writer.begin_array();
        std::string_view last;
        for (std::size_t count = 0; count < limit && user != members.users->end();
             ++count, ++user) {
            const auto& [name, metas] = *user;
            const auto first =
                std::ranges::min_element(metas, {}, &engine::PresenceMeta::online_at_s);
            writer.begin_object();
            text_member(writer, "user", name);
            number_member(writer, "connections", metas.size());
            time_member(writer, "online_at", WallTime(std::chrono::seconds(first->online_at_s)));
            writer.end_object();
            last = name;
        }
        writer.end_array();
        next_member(writer, user == members.users->end() ? std::string_view() : last);
    });
}

HttpAnswer AdminRooms::history_page(const engine::Replied& reply, bool oldest_first) const {
    const auto& page = std::get<Result<HistoryPage>>(reply.what);
    if (!page) return refused(refusal_of(page.error()));
    if (!page->anchor_known)
        return refused({404, "not_found", "The room has no message of that id."});
    const std::string object = to_json(*page, oldest_first);
    return admin_answer("chatx.room-history.v1", context_.all(), [&](json::Writer& writer) {
        writer.raw_members(std::string_view(object).substr(1, object.size() - 2));
    });
}

Shard& AdminRooms::owner(const RoomId& room) const {
    return *context_.shards[shard_of(room, static_cast<std::uint16_t>(context_.shards.size()))];
}

RoomVisitors& AdminRooms::visitors(const RoomId& room) {
    return visitors_[shard_of(room, static_cast<std::uint16_t>(context_.shards.size()))];
}

void AdminRooms::begin_visit(
    const RoomId& room,
    std::uint64_t visit,
    RoomVisitor::Ears ears,
    std::function<void(RoomVisitor&)> request) {
    owner(room).call(
        [&all = visitors(room), room, visit, ears = std::move(ears), request = std::move(request)](
            Shard& own) {
            const auto visitor =
                all.emplace(visit, std::make_unique<RoomVisitor>(own, room, ears)).first;
            request(*visitor->second);
            own.turn();
        });
}

void AdminRooms::end_visit(const RoomId& room, std::uint64_t visit) {
    owner(room).call([&all = visitors(room), visit](Shard& own) {
        all.erase(visit);
        own.turn();
    });
}

// The past and what follows take the same way, so that their order stays.
RoomVisitor::Ears AdminRooms::ears_of(
    const RoomId& room, std::uint64_t visit, Questions::Reply<Result<Done>> joined) {
    return {
        .replied =
            [this, room, visit, joined = std::move(joined)](engine::Replied reply) {
                auto& outcome = std::get<Result<engine::JoinReply>>(reply.what);
                if (!outcome) return joined(outcome.error());
                asio::post(context_.io, [this, room, visit, past = *std::move(outcome)] {
                    feed_past(visit, room, past);
                });
                joined(Done{});
            },
        .said =
            [this, visit](const MessagePtr& message) {
                asio::post(context_.io, [this, visit, message] {
                    const auto feed = feeds_.find(visit);
                    if (feed != feeds_.end()) feed->second->push(message_line(*message));
                });
            }};
}

void AdminRooms::feed_past(
    std::uint64_t visit, const RoomId& room, const engine::JoinReply& reply) {
    const auto feed = feeds_.find(visit);
    if (feed == feeds_.end()) return;
    feed->second->push(
        admin_object("chatx.room-tail.v1", context_.all(), [&](json::Writer& writer) {
            text_member(writer, "room", room.text());
            text_member(writer, "epoch", to_text(reply.epoch));
            number_member(writer, "seq", reply.seq.value);
        }));
    for (const MessagePtr& message : reply.messages)
        feed->second->push(message_line(*message));
}

}  // namespace chatx::node
