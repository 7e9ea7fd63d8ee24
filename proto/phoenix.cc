#include "proto/phoenix.h"

#include "proto/message_json.h"
#include "proto/utf8.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace chatx::proto::phoenix {

namespace {

const Ref no_ref;

/// Takes one number of a version and, unless it is the last, the dot behind it.
std::optional<unsigned> take_version_part(std::string_view& rest, bool last) {
    const auto size = rest.find('.');
    if (last != (size == std::string_view::npos)) return std::nullopt;
    const auto part = rest.substr(0, size);
    rest.remove_prefix(last ? rest.size() : size + 1);
    const bool leading_zero = part.size() > 1 && part.starts_with('0');
    unsigned number = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    const bool whole = error == std::errc() && stop == part.data() + part.size();
    if (!whole || leading_zero) return std::nullopt;
    return number;
}

bool is_name(const json::Value& value) {
    const std::string* text = value.as_string();
    return text && !text->empty() && text->size() <= name_size_max && !find_control(*text)
           && !value.has_replaced_surrogate();
}

bool is_text(const json::Value& value) {
    return value.as_string() && !value.has_replaced_surrogate();
}

struct Fields {
    json::Value join_ref;
    json::Value ref;
    json::Value topic;
    json::Value event;
    json::Value payload;
};

std::variant<Frame, Malformed> checked(Fields fields) {
    auto join_ref = Ref::from(fields.join_ref);
    auto ref = Ref::from(fields.ref);
    if (!join_ref || !ref) return Malformed{"a ref is not a short scalar"};
    if (!is_text(fields.topic)) return Malformed{"the topic is not a text"};
    if (!is_name(fields.event)) return Malformed{"the event is not a name"};
    return Frame{
        std::move(*join_ref),
        std::move(*ref),
        std::move(fields.topic).take_string(),
        std::move(fields.event).take_string(),
        std::move(fields.payload)};
}

std::variant<Frame, Malformed> decode_v1(const json::Value& value) {
    const auto* ref = value.find("ref");
    const auto* topic = value.find("topic");
    const auto* event = value.find("event");
    const auto* payload = value.find("payload");
    if (!ref || !topic || !event || !payload) {
        return Malformed{"not an object with topic, event, payload and ref"};
    }
    const auto* join_ref = value.find("join_ref");
    return checked({join_ref ? *join_ref : json::Value(), *ref, *topic, *event, *payload});
}

std::variant<Frame, Malformed> decode_v2(json::Value value) {
    auto items = std::move(value).take_array();
    if (items.size() < 5) return Malformed{"not an array of five"};
    return checked(
        {std::move(items[0]),
         std::move(items[1]),
         std::move(items[2]),
         std::move(items[3]),
         std::move(items[4])});
}

void append_v1(std::string& out, const FrameView& frame) {
    out += R"({"event":)";
    json::append_string(out, frame.event);
    out += R"(,"payload":)";
    out += frame.payload_json;
    out += R"(,"ref":)";
    out += frame.ref.json();
    out += R"(,"topic":)";
    json::append_string(out, frame.topic);
    out += '}';
}

void append_v2(std::string& out, const FrameView& frame) {
    out += '[';
    out += frame.join_ref.json();
    out += ',';
    out += frame.ref.json();
    out += ',';
    json::append_string(out, frame.topic);
    out += ',';
    json::append_string(out, frame.event);
    out += ',';
    out += frame.payload_json;
    out += ']';
}

}  // namespace

std::optional<Version> parse_vsn(std::string_view vsn) {
    const auto major = take_version_part(vsn, false);
    const auto minor = take_version_part(vsn, false);
    const auto patch = take_version_part(vsn, true);
    if (!major || !minor || !patch || *minor != 0) return std::nullopt;
    if (*major == 1) return Version::v1;
    if (*major == 2) return Version::v2;
    return std::nullopt;
}

Ref Ref::string(std::string_view text) {
    std::string json;
    json::append_string(json, text);
    return Ref(std::move(json));
}

std::optional<Ref> Ref::from(const json::Value& value) {
    if (value.as_array() || value.as_object()) return std::nullopt;
    // Encoded anew, a text has one form whatever its escapes were, so that equal values are equal
    // here.
    auto json = json::to_json(value);
    if (json.size() > size_max) return std::nullopt;
    return Ref(std::move(json));
}

std::optional<std::string_view> Ref::plain_text() const {
    if (is_null()) return std::string_view();
    std::string_view text = json_;
    if (!text.starts_with('"') || text.find('\\') != std::string_view::npos) return std::nullopt;
    text.remove_prefix(1);
    text.remove_suffix(1);
    return text;
}

std::variant<Frame, Malformed> decode(
    json::Parser& parser, Version version, std::string_view text) {
    auto parsed = parser.parse(text);
    if (const auto* error = std::get_if<json::ParseError>(&parsed))
        return Malformed{to_text(*error)};
    auto& value = *std::get_if<json::Value>(&parsed);
    return version == Version::v1 ? decode_v1(value) : decode_v2(std::move(value));
}

bool is_reserved_event(std::string_view event) {
    return event.starts_with("phx_") || event.starts_with("chan_reply_")
           || event.starts_with("presence_");
}

bool is_prototype_key(std::string_view key) {
    constexpr std::array<std::string_view, 12> names{
        "__defineGetter__",
        "__defineSetter__",
        "__lookupGetter__",
        "__lookupSetter__",
        "__proto__",
        "constructor",
        "hasOwnProperty",
        "isPrototypeOf",
        "propertyIsEnumerable",
        "toLocaleString",
        "toString",
        "valueOf",
    };
    return std::ranges::find(names, key) != names.end();
}

void append_frame(std::string& out, Version version, const FrameView& frame) {
    version == Version::v1 ? append_v1(out, frame) : append_v2(out, frame);
}

void append_reply(std::string& out, Version version, const Reply& reply) {
    std::string payload = R"({"response":)";
    payload += reply.response_json;
    payload += reply.status == Status::ok ? R"(,"status":"ok"})" : R"(,"status":"error"})";
    append_frame(out, version, {reply.join_ref, reply.ref, reply.topic, reply_event, payload});
}

void append_push(std::string& out, Version version, const Push& push) {
    append_frame(out, version, {push.join_ref, no_ref, push.topic, push.event, push.payload_json});
}

void append_broadcast(std::string& out, Version version, const Broadcast& broadcast) {
    append_frame(
        out, version, {no_ref, no_ref, broadcast.topic, broadcast.event, broadcast.payload_json});
}

void append_close(std::string& out, Version version, const Ref& join_ref, std::string_view topic) {
    append_frame(out, version, {join_ref, join_ref, topic, close_event, "{}"});
}

void append_error(
    std::string& out,
    Version version,
    const Ref& join_ref,
    std::string_view topic,
    std::string_view reason) {
    std::string payload;
    append_reason_json(payload, reason);
    append_frame(out, version, {join_ref, join_ref, topic, error_event, payload});
}

void append_heartbeat_reply(std::string& out, Version version, const Ref& ref) {
    append_reply(out, version, {no_ref, ref, connection_topic});
}

void append_unmatched_topic(
    std::string& out, Version version, const Ref& ref, std::string_view topic) {
    std::string response;
    append_reason_json(response, unmatched_topic);
    append_reply(out, version, {no_ref, ref, topic, Status::error, response});
}

}  // namespace chatx::proto::phoenix
