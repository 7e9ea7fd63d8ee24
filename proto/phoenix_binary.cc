#include "proto/phoenix_binary.h"

#include <chatx/assert.h>

#include "proto/utf8.h"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <utility>

namespace chatx::proto::phoenix {

namespace {

constexpr char push_kind = 0;
constexpr char reply_kind = 1;
constexpr char broadcast_kind = 2;

/// How many names a push of a client has: join_ref, ref, topic, event.
constexpr std::size_t push_names = 4;

void append_names(std::string& out, char kind, std::initializer_list<std::string_view> names) {
    out += kind;
    for (const std::string_view name : names) {
        CHATX_ASSERT(name.size() <= name_size_max);
        out += static_cast<char>(name.size());
    }
    for (const std::string_view name : names)
        out += name;
}

std::optional<Ref> to_ref(std::string_view text) {
    if (text.empty()) return Ref();
    Ref ref = Ref::string(text);
    if (ref.json().size() > Ref::size_max) return std::nullopt;
    return ref;
}

/// The names behind the kind byte, and the payload as the last of all.
std::optional<std::array<std::string_view, push_names + 1>> split_push(std::string_view message) {
    if (message.size() < 1 + push_names) return std::nullopt;
    std::array<std::string_view, push_names + 1> parts;
    std::string_view rest = message.substr(1 + push_names);
    for (std::size_t i = 0; i < push_names; ++i) {
        const auto size = static_cast<unsigned char>(message[1 + i]);
        if (size > rest.size()) return std::nullopt;
        parts[i] = rest.substr(0, size);
        rest.remove_prefix(size);
        if (!is_utf8(parts[i])) return std::nullopt;
    }
    parts[push_names] = rest;
    return parts;
}

}  // namespace

std::variant<BinaryPush, Malformed> decode_binary(std::string_view message) {
    if (message.empty() || message.front() != push_kind)
        return Malformed{"the kind of the binary frame is unknown"};
    const auto parts = split_push(message);
    if (!parts) return Malformed{"the binary frame is not made of the names it announces"};
    const auto& [join_ref_text, ref_text, topic, event, payload] = *parts;
    auto join_ref = to_ref(join_ref_text);
    auto ref = to_ref(ref_text);
    if (!join_ref || !ref) return Malformed{"a ref is not a short scalar"};
    if (event.empty() || find_control(event)) return Malformed{"the event is not a name"};
    return BinaryPush{
        *std::move(join_ref), *std::move(ref), std::string(topic), std::string(event), payload};
}

void append_binary_reply(std::string& out, const BinaryReply& reply) {
    const std::string_view status = reply.status == Status::ok ? "ok" : "error";
    append_names(out, reply_kind, {reply.join_ref, reply.ref, reply.topic, status});
    out += reply.payload;
}

void append_binary_broadcast(std::string& out, const BinaryBroadcast& broadcast) {
    append_names(out, broadcast_kind, {broadcast.topic, broadcast.event});
    out += broadcast.payload;
}

}  // namespace chatx::proto::phoenix
