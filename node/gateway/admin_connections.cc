#include "node/gateway/admin_connections.h"

#include "node/gateway/query_reader.h"

#include <optional>
#include <utility>
#include <vector>

namespace chatx::node {

namespace json = proto::json;

namespace {

constexpr std::size_t rows_default = 100;
constexpr std::size_t rows_max = 500;

std::string_view version_text(proto::phoenix::Version version) {
    return version == proto::phoenix::Version::v1 ? "1.0.0" : "2.0.0";
}

void write_row(json::Writer& writer, const ConnectionRow& row) {
    const auto waiting = std::chrono::duration_cast<std::chrono::milliseconds>(row.waiting);
    text_member(writer, "id", to_text(row.id));
    text_member(writer, "user", row.user);
    text_member(writer, "peer", row.peer);
    text_member(writer, "transport", row.transport);
    text_member(writer, "version", version_text(row.version));
    time_member(writer, "connected_at", row.connected_at);
    number_member(writer, "rooms", row.rooms);
    number_member(writer, "outbox_bytes", row.outbox_bytes);
    number_member(writer, "waiting_ms", static_cast<std::uint64_t>(waiting.count()));
    number_member(writer, "frames_in", row.frames_in);
    number_member(writer, "refused", row.refused);
    number_member(writer, "strikes", row.strikes);
    number_member(writer, "gaps", row.gaps);
}

}  // namespace

AdminConnections::Answer AdminConnections::list(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const std::string after(query.text("after"));
    const std::string order(query.text("order"));
    ConnectionPage page;
    page.limit = query.number("limit", {.fallback = rows_default, .least = 1, .most = rows_max});
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    if (order == "outbox") {
        page.order = ConnectionPage::Order::outbox;
    } else if (!order.empty() && order != "id") {
        co_return refused({400, "bad_request", "The order is id or outbox."});
    }
    if (!after.empty()) {
        if (page.order != ConnectionPage::Order::id)
            co_return refused({400, "bad_request", "Only the order of ids has further pages."});
        const auto behind = read_id(after);
        if (const auto* refusal = std::get_if<Refusal>(&behind)) co_return refused(*refusal);
        page.after = std::get<ConnectionId>(behind);
    }
    using Rows = std::vector<ConnectionRow>;
    auto pages = co_await context_.questions.ask_all<Rows>(
        {.count = context_.shards.size(), .wait = admin_wait},
        [&](const Questions::Reply<Rows>& reply) {
            for (const auto& shard : context_.shards) {
                shard->call([reply, page](Shard& own) { reply(own.gateway().rows(page)); });
            }
        });
    const bool complete = pages.size() == context_.shards.size();
    const ConnectionRows merged = merge_rows(std::move(pages), page);
    co_return admin_answer(
        "chatx.connections.v1", {context_.node, complete}, [&](json::Writer& writer) {
            writer.key("connections");
            writer.begin_array();
            for (const ConnectionRow& row : merged.rows) {
                writer.begin_object();
                write_row(writer, row);
                writer.end_object();
            }
            writer.end_array();
            writer.key("next");
            if (merged.more && page.order == ConnectionPage::Order::id) {
                writer.string(to_text(merged.rows.back().id));
            } else {
                writer.null();
            }
        });
}

AdminConnections::Answer AdminConnections::info(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const std::string text(query.text("id"));
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const auto named = read_id(text);
    if (const auto* refusal = std::get_if<Refusal>(&named)) co_return refused(*refusal);
    const ConnectionId id = std::get<ConnectionId>(named);
    if (id.shard >= context_.shards.size()) co_return not_found(id);

    using Found = std::optional<std::pair<ConnectionRow, std::vector<std::string>>>;
    const auto found = co_await context_.questions.ask<Found>(
        admin_wait, [&](const Questions::Reply<Found>& reply) {
            context_.shards[id.shard]->call([reply, number = id.number](Shard& own) {
                const Connection* connection = own.gateway().find(number);
                if (connection == nullptr) return reply(std::nullopt);
                reply(std::pair(connection->row(), connection->session()->topics()));
            });
        });
    if (!found) co_return refused(timed_out("The connection's shard"));
    if (!*found) co_return not_found(id);
    co_return admin_answer("chatx.connection.v1", context_.all(), [&](json::Writer& writer) {
        write_row(writer, (*found)->first);
        writer.key("topics");
        writer.begin_array();
        for (const std::string& topic : (*found)->second)
            writer.string(topic);
        writer.end_array();
    });
}

AdminConnections::Answer AdminConnections::close(HttpRequest request, std::string body) {
    QueryReader query(request);
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    const auto parsed = parser_.parse(body);
    const auto* value = std::get_if<json::Value>(&parsed);
    const json::Value* member = value == nullptr ? nullptr : value->find("id");
    const std::string* text = member == nullptr ? nullptr : member->as_string();
    const auto named = read_id(text == nullptr ? std::string_view() : *text);
    if (const auto* refusal = std::get_if<Refusal>(&named)) co_return refused(*refusal);
    const ConnectionId id = std::get<ConnectionId>(named);
    if (id.shard >= context_.shards.size()) co_return not_found(id);

    const auto closed =
        co_await context_.questions.ask<bool>(admin_wait, [&](const Questions::Reply<bool>& reply) {
            context_.shards[id.shard]->call([reply, number = id.number](Shard& own) {
                Connection* connection = own.gateway().find(number);
                if (connection != nullptr)
                    connection->close(
                        proto::websocket::CloseCode::going_away, "closed by operator");
                own.turn();
                reply(connection != nullptr);
            });
        });
    if (!closed) co_return refused(timed_out("The connection's shard"));
    if (!*closed) co_return not_found(id);
    co_return admin_answer("chatx.connection-closed.v1", context_.all(), [&](json::Writer& writer) {
        text_member(writer, "id", to_text(id));
    });
}

std::variant<ConnectionId, Refusal> AdminConnections::read_id(std::string_view text) const {
    if (const auto id = parse_connection_id(text)) return *id;
    return Refusal{
        400, "bad_request", "A connection is named as `conn ls` prints it: SHARD-NUMBER."};
}

HttpAnswer AdminConnections::refused(const Refusal& refusal) const {
    return admin_refusal(refusal, {context_.node, refusal.status != 504});
}

HttpAnswer AdminConnections::not_found(ConnectionId id) const {
    return refused(
        {404, "not_found", "There is no connection " + to_text(id) + " on " + context_.node + "."});
}

}  // namespace chatx::node
