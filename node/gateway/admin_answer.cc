#include "node/gateway/admin_answer.h"

#include "node/text.h"
#include "placement/slots.h"
#include "proto/utf8.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace chatx::node {

namespace json = proto::json;

namespace {

void write_coverage(json::Writer& writer, const Coverage& coverage) {
    writer.key("coverage");
    writer.begin_object();
    number_member(writer, "nodes", 1);
    number_member(writer, "answered", coverage.complete ? 1 : 0);
    writer.key("missing");
    writer.begin_array();
    if (!coverage.complete) writer.string(coverage.node);
    writer.end_array();
    writer.end_object();
}

HttpResponse json_response(unsigned status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/json";
    response.body = std::move(body) + "\n";
    response.headers.emplace_back("Cache-Control", "no-store");
    return response;
}

unsigned status_of(Reason reason) {
    switch (reason) {
        case Reason::invalid_room_id:
        case Reason::invalid_user_id:
        case Reason::invalid_content:
        case Reason::invalid_utf8:
            return 400;
        case Reason::message_too_large:
            return 413;
        case Reason::unauthorized:
        case Reason::muted:
        case Reason::banned:
        case Reason::read_only:
            return 403;
        case Reason::blocked:
            return 422;
        case Reason::rate_limited:
        case Reason::slow_mode:
        case Reason::too_many_joins:
        case Reason::too_many_connections:
            return 429;
        case Reason::timeout:
            return 504;
        case Reason::queue_overflow:
        case Reason::adapter_error:
        case Reason::room_unavailable:
        case Reason::no_quorum:
        case Reason::shutting_down:
            break;
    }
    return 503;
}

std::string sentence_of(const Error& error) {
    if (!error.detail.empty()) return error.detail;
    const auto infos = all_reasons();
    const auto info = std::ranges::find(infos, error.reason, &ReasonInfo::reason);
    return info == infos.end() ? std::string() : std::string(info->cause);
}

}  // namespace

std::string admin_object(
    std::string_view schema,
    const Coverage& coverage,
    const std::function<void(json::Writer&)>& fill) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    text_member(writer, "schema", schema);
    write_coverage(writer, coverage);
    fill(writer);
    writer.end_object();
    return text;
}

HttpResponse admin_answer(
    std::string_view schema,
    const Coverage& coverage,
    const std::function<void(json::Writer&)>& fill) {
    return json_response(200, admin_object(schema, coverage, fill));
}

HttpResponse admin_refusal(const Refusal& refusal, const Coverage& coverage) {
    return json_response(
        refusal.status, admin_object("chatx.error.v1", coverage, [&](json::Writer& writer) {
            writer.key("error");
            writer.begin_object();
            text_member(writer, "reason", refusal.reason);
            text_member(writer, "message", refusal.message);
            writer.end_object();
        }));
}

Refusal refusal_of(const Error& error) {
    return {status_of(error.reason), to_text(error.reason), sentence_of(error)};
}

Refusal timed_out(std::string_view who) {
    return {504, to_text(Reason::timeout), std::string(who) + " did not answer in time."};
}

void text_member(json::Writer& writer, std::string_view key, std::string_view text) {
    writer.key(key);
    if (proto::is_utf8(text)) return writer.string(text);
    std::string escaped;  // Said by an adapter or the system: paths and errors may be anything.
    append_escaped(escaped, text);
    writer.string(escaped);
}

void number_member(json::Writer& writer, std::string_view key, std::uint64_t number) {
    writer.key(key);
    writer.number(number);
}

void time_member(json::Writer& writer, std::string_view key, WallTime time) {
    writer.key(key);
    writer.number(time.time_since_epoch().count());
}

void write_row(json::Writer& writer, const RoomRow& row, std::string_view node) {
    const RoomRow::Live live = row.live.value_or(RoomRow::Live{});
    text_member(writer, "room", row.room.text());
    number_member(writer, "slot", placement::slot_of(row.room).value);
    text_member(writer, "owner", node);
    text_member(writer, "state", state_of(row));
    text_member(writer, "epoch", to_text(row.epoch));
    number_member(writer, "seq", row.seq.value);
    if (row.last_inserted_at) {
        time_member(writer, "last_inserted_at", *row.last_inserted_at);
    } else {
        writer.key("last_inserted_at");
        writer.null();
    }
    number_member(writer, "users", live.users);
    number_member(writer, "connections", live.connections);
    number_member(writer, "listeners", live.listeners);
    number_member(writer, "queue", live.queue);
    number_member(writer, "memory_bytes", live.memory_bytes);
}

void write_letter(json::Writer& writer, const DeadLetter& letter) {
    const Message& message = *letter.message;
    writer.begin_object();
    text_member(writer, "id", std::to_string(letter.id));
    text_member(writer, "target", engine::to_text(letter.target));
    if (letter.user) text_member(writer, "user", letter.user->text());
    text_member(writer, "room", message.room.text());
    text_member(writer, "message_id", to_text(message.id));
    text_member(writer, "epoch", to_text(message.epoch));
    number_member(writer, "seq", message.seq.value);
    text_member(writer, "sender", message.user.text());
    text_member(writer, "content", message.content);
    time_member(writer, "inserted_at", message.inserted_at);
    number_member(writer, "attempts", letter.attempts);
    text_member(writer, "error", letter.error);
    time_member(writer, "failed_at", letter.failed_at);
    writer.end_object();
}

}  // namespace chatx::node
