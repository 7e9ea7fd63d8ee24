#include "node/gateway/payload_reader.h"

#include "engine/validation.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

namespace chatx::node {

namespace json = proto::json;

namespace {

Error refusal(Reason reason, std::string detail) {
    return Error{reason, std::move(detail), std::nullopt};
}

/// A member that is there and not null.
const json::Value* given(const json::Value& payload, std::string_view key) {
    const json::Value* value = payload.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::optional<std::uint64_t> find_number(const json::Value& payload, std::string_view key) {
    const json::Value* value = payload.find(key);
    return value == nullptr ? std::nullopt : value->as_uint64();
}

/// An id may come as a string, as we send it, or as a number, as careless clients keep it.
std::optional<MessageId> to_message_id(const json::Value& value) {
    if (const std::string* text = value.as_string()) return parse_message_id(*text);
    if (const auto number = value.as_uint64()) return MessageId{*number};
    return std::nullopt;
}

/// An id that may be left out.
Result<std::optional<MessageId>> message_id_of(const json::Value& payload, std::string_view key) {
    const json::Value* value = given(payload, key);
    if (value == nullptr) return std::optional<MessageId>();
    const auto id = to_message_id(*value);
    if (!id)
        return refusal(Reason::invalid_content, "`" + std::string(key) + "` must be a message id");
    return id;
}

std::optional<engine::Resume::Point> to_point(const json::Value& value) {
    const json::Value* epoch_value = given(value, "epoch");
    const std::string* epoch_text = epoch_value == nullptr ? nullptr : epoch_value->as_string();
    const auto seq = find_number(value, "seq");
    if (epoch_text == nullptr || !seq) return std::nullopt;
    const auto epoch = parse_epoch(*epoch_text);
    if (!epoch) return std::nullopt;
    return engine::Resume::Point{*epoch, Seq{*seq}};
}

/// A text that may be left out.
Result<std::optional<std::string>> text_of(const json::Value& payload, std::string_view key) {
    const json::Value* value = given(payload, key);
    if (value == nullptr) return std::optional<std::string>();
    if (value->as_string() == nullptr) {
        return refusal(Reason::invalid_content, "`" + std::string(key) + "` must be a string");
    }
    if (value->has_replaced_surrogate()) {
        return refusal(
            Reason::invalid_utf8, "`" + std::string(key) + "` has half of a surrogate pair");
    }
    return std::optional(*value->as_string());
}

/// A place in the order that may be left out.
Result<std::optional<Seq>> seq_of(const json::Value& payload, std::string_view key) {
    const json::Value* value = given(payload, key);
    if (value == nullptr) return std::optional<Seq>();
    const auto number = value->as_uint64();
    if (!number)
        return refusal(Reason::invalid_content, "`" + std::string(key) + "` must be a seq");
    return std::optional(Seq{*number});
}

}  // namespace

engine::Resume to_resume(const json::Value& payload) {
    engine::Resume resume;
    if (const json::Value* last_seen = given(payload, "last_seen_id")) {
        resume.last_seen_id = to_message_id(*last_seen);
        resume.unknown_point = !resume.last_seen_id;
    }
    const json::Value* since = given(payload, "since");
    if (!resume.last_seen_id && since != nullptr) {
        resume.since = to_point(*since);
        resume.unknown_point = !resume.since;
    }
    const std::uint64_t history = find_number(payload, "history").value_or(0);
    resume.history = static_cast<std::uint32_t>(std::min<std::uint64_t>(history, history_page_max));
    return resume;
}

Result<HistoryRange> to_range(const json::Value& payload) {
    const auto after_id = message_id_of(payload, "after_id");
    if (!after_id) return after_id.error();
    const auto after = seq_of(payload, "after");
    if (!after) return after.error();
    const auto before = seq_of(payload, "before");
    if (!before) return before.error();
    HistoryRange range;
    range.after_id = *after_id;
    range.after = *after;
    range.before = *before;
    const std::uint64_t limit = find_number(payload, "limit").value_or(range.limit);
    range.limit = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(limit, 1, history_page_max));
    return range;
}

Result<MessagePayload> to_message(const json::Value& payload, std::size_t content_size_max) {
    auto content = text_of(payload, "content");
    if (!content) return content.error();
    if (!*content) return refusal(Reason::invalid_content, "`content` is missing");
    auto client_id = text_of(payload, "client_id");
    if (!client_id) return client_id.error();
    MessagePayload message{
        **std::move(content), (*std::move(client_id)).value_or(std::string()), std::nullopt};
    if (auto fits = engine::check_content(message.content, content_size_max); !fits)
        return fits.error();
    if (auto fits = engine::check_client_id(message.client_id); !fits) return fits.error();
    const auto answers = message_id_of(payload, "reply_to");
    if (!answers) return answers.error();
    message.answers = *answers;
    return message;
}

}  // namespace chatx::node
