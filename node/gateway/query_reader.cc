#include "node/gateway/query_reader.h"

#include "node/text.h"

#include <charconv>
#include <utility>

namespace chatx::node {

std::optional<RoomId> QueryReader::room() {
    auto room = RoomId::parse(value("room").value_or(std::string_view()));
    if (room) return *std::move(room);
    const Refusal why = refusal_of(room.error());
    refuse(why.reason, why.message);
    return std::nullopt;
}

std::uint64_t QueryReader::number(std::string_view key, const Bounds& bounds) {
    const std::uint64_t found = number(key).value_or(bounds.fallback);
    if (found >= bounds.least && found <= bounds.most) return found;
    refuse(
        "bad_request",
        std::string(key) + " must be from " + std::to_string(bounds.least) + " to "
            + std::to_string(bounds.most) + ".");
    return bounds.fallback;
}

std::optional<std::uint64_t> QueryReader::number(std::string_view key) {
    const auto text = value(key);
    if (!text) return std::nullopt;
    std::uint64_t found = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), found);
    if (error == std::errc() && end == text->data() + text->size()) return found;
    refuse("bad_request", std::string(key) + " must be a whole number.");
    return std::nullopt;
}

std::string_view QueryReader::text(std::string_view key) {
    return value(key).value_or(std::string_view());
}

std::optional<Refusal> QueryReader::refusal() {
    for (const auto& [key, text] : request_.query) {
        if (!known_.contains(key))
            refuse("bad_request", "There is no parameter " + quoted(clipped(key, 64)) + " here.");
    }
    return refusal_;
}

std::optional<std::string_view> QueryReader::value(std::string_view key) {
    known_.emplace(key);
    return request_.parameter(key);
}

void QueryReader::refuse(std::string_view reason, std::string message) {
    if (!refusal_) refusal_ = Refusal{400, reason, std::move(message)};
}

}  // namespace chatx::node
