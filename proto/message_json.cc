#include "proto/message_json.h"

#include "proto/json.h"

#include <chrono>

namespace chatx::proto {

namespace {

void text_member(json::Writer& writer, std::string_view key, std::string_view text) {
    writer.key(key);
    writer.string(text);
}

template <class Number>
void number_member(json::Writer& writer, std::string_view key, Number number) {
    writer.key(key);
    writer.number(number);
}

}  // namespace

void append_json(std::string& out, const Message& message) {
    json::Writer writer(out);
    writer.begin_object();
    text_member(writer, "id", to_text(message.id));
    text_member(writer, "room_id", message.room.text());
    text_member(writer, "user_id", message.user.text());
    text_member(writer, "content", message.content);
    number_member(writer, "inserted_at", message.inserted_at.time_since_epoch().count());
    number_member(writer, "seq", message.seq.value);
    text_member(writer, "epoch", to_text(message.epoch));
    if (!message.client_id.empty()) text_member(writer, "client_id", message.client_id);
    if (message.reply_to) text_member(writer, "reply_to", to_text(*message.reply_to));
    writer.end_object();
}

void append_json(std::string& out, const Receipt& receipt) {
    json::Writer writer(out);
    writer.begin_object();
    text_member(writer, "id", to_text(receipt.id));
    number_member(writer, "seq", receipt.seq.value);
    text_member(writer, "epoch", to_text(receipt.epoch));
    number_member(writer, "inserted_at", receipt.inserted_at.time_since_epoch().count());
    writer.end_object();
}

void append_json(std::string& out, const Error& error) {
    json::Writer writer(out);
    writer.begin_object();
    text_member(writer, "reason", to_text(error.reason));
    if (error.retry_after) {
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*error.retry_after);
        number_member(writer, "retry_after_ms", wait.count());
    }
    writer.end_object();
}

void append_reason_json(std::string& out, std::string_view reason) {
    json::Writer writer(out);
    writer.begin_object();
    text_member(writer, "reason", reason);
    writer.end_object();
}

}  // namespace chatx::proto
