#include "proto/phoenix.h"
#include "proto/utf8.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::proto::phoenix {

namespace {

json::Value parsed(const std::string& text) {
    json::Parser parser;
    auto value = parser.parse(text);
    RC_ASSERT(std::holds_alternative<json::Value>(value));
    return std::get<json::Value>(std::move(value));
}

/// Characters of all sizes, and those that JSON and JavaScript treat in their own way.
constexpr std::array<std::string_view, 10> plain_characters{
    "a", "Z", "\"", "\\", "/", ":", "\u2028", "\u00E9", "\u65E5", "\U0001F642"};
constexpr std::array<std::string_view, 4> control_characters{
    std::string_view("\0", 1), "\n", "\x7F", "\u0085"};

enum class With : std::uint8_t { no_controls, controls };

/// UTF-8 of at most `size_max` bytes.
std::string any_text(std::size_t size_max, With with = With::controls) {
    auto character = rc::gen::elementOf(plain_characters);
    if (with == With::controls)
        character = rc::gen::oneOf(character, rc::gen::elementOf(control_characters));
    std::string text;
    for (const std::string_view next :
         *rc::gen::container<std::vector<std::string_view>>(character)) {
        if (text.size() + next.size() > size_max) break;
        text += next;
    }
    return text;
}

std::string any_event() {
    const std::string event = any_text(name_size_max, With::no_controls);
    return event.empty() ? "event" : event;
}

/// A number as somebody may write it, and not only as we do.
json::Value any_number() {
    auto text = std::to_string(*rc::gen::arbitrary<std::int64_t>());
    if (*rc::gen::arbitrary<bool>()) text += "." + std::to_string(*rc::gen::inRange(0, 1000)) + "0";
    if (*rc::gen::arbitrary<bool>()) text += "e-" + std::to_string(*rc::gen::inRange(0, 400));
    return parsed(text);
}

json::Value any_value(int depth) {
    switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
        case 0:
            return {};
        case 1:
            return json::Value::boolean(*rc::gen::arbitrary<bool>());
        case 2:
            return any_number();
        case 3:
            return json::Value::string(any_text(200));
        case 4: {
            std::vector<json::Value> items(*rc::gen::inRange<std::size_t>(0, 4));
            for (json::Value& item : items)
                item = any_value(depth - 1);
            return json::Value::array(std::move(items));
        }
        default: {
            std::vector<json::Value::Member> members(*rc::gen::inRange<std::size_t>(0, 4));
            for (json::Value::Member& member : members)
                member = {any_text(20), any_value(depth - 1)};
            return json::Value::object(std::move(members));
        }
    }
}

Ref any_ref() {
    auto ref = Ref::from(any_value(0));
    return ref ? *std::move(ref) : Ref::string("too long");
}

Frame any_frame() {
    return {any_ref(), any_ref(), any_text(300), any_event(), any_value(3)};
}

std::string encoded(Version version, const Frame& frame) {
    std::string text;
    append_frame(
        text,
        version,
        {frame.join_ref, frame.ref, frame.topic, frame.event, json::to_json(frame.payload)});
    return text;
}

std::variant<Frame, Malformed> decoded(Version version, std::string_view text) {
    json::Parser parser;
    return decode(parser, version, text);
}

/// Some bytes changed, some left out, some added.
std::string damaged(std::string text) {
    const auto edits = *rc::gen::inRange(0, 6);
    for (int i = 0; i < edits && !text.empty(); ++i) {
        const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
        constexpr std::string_view likely = "[]{}\",:\\0u \xC3\xFF";
        const char byte =
            *rc::gen::oneOf(rc::gen::elementOf(std::string(likely)), rc::gen::arbitrary<char>());
        switch (*rc::gen::inRange(0, 3)) {
            case 0:
                text[at] = byte;
                break;
            case 1:
                text.erase(at, 1);
                break;
            default:
                text.insert(at, 1, byte);
        }
    }
    return text;
}

/// Whether the text is what a frame of this version has to be, by another reading than the
/// decoder's.
bool is_frame(Version version, const std::string& text, const Frame& frame) {
    const json::Value value = parsed(text);
    const auto is = [](const json::Value* field, const std::string& expected) {
        return field != nullptr && field->as_string() != nullptr && *field->as_string() == expected;
    };
    if (version == Version::v1) {
        const json::Value* payload = value.find("payload");
        return is(value.find("topic"), frame.topic) && is(value.find("event"), frame.event)
               && value.find("ref") != nullptr && payload != nullptr && *payload == frame.payload;
    }
    const auto* items = value.as_array();
    return items != nullptr && items->size() >= 5 && is(&items->at(2), frame.topic)
           && is(&items->at(3), frame.event) && items->at(4) == frame.payload;
}

/// What `decode` promises of every frame.
void check_promises(const Frame& frame) {
    RC_ASSERT(frame.ref.json().size() <= Ref::size_max);
    RC_ASSERT(frame.join_ref.json().size() <= Ref::size_max);
    RC_ASSERT(is_utf8(frame.topic));
    RC_ASSERT(is_utf8(frame.event));
    RC_ASSERT(!frame.event.empty());
    RC_ASSERT(frame.event.size() <= name_size_max);
    RC_ASSERT(!find_control(frame.event));
}

constexpr std::array versions{Version::v1, Version::v2};

}  // namespace

TEST_CASE("what is encoded as version 2 is decoded as the same frame") {
    CHECK(rc::check([] {
        const Frame frame = any_frame();
        const auto back = decoded(Version::v2, encoded(Version::v2, frame));
        RC_ASSERT(std::holds_alternative<Frame>(back));
        RC_ASSERT(std::get<Frame>(back) == frame);
    }));
}

TEST_CASE("what is encoded as version 1 is decoded as the same frame without its join ref") {
    CHECK(rc::check([] {
        Frame frame = any_frame();
        const auto back = decoded(Version::v1, encoded(Version::v1, frame));
        frame.join_ref = Ref();
        RC_ASSERT(std::holds_alternative<Frame>(back));
        RC_ASSERT(std::get<Frame>(back) == frame);
    }));
}

TEST_CASE("a damaged frame is refused, or is a frame and keeps every promise") {
    CHECK(rc::check([] {
        const Version version = *rc::gen::elementOf(versions);
        const std::string text = damaged(encoded(version, any_frame()));
        const auto read = decoded(version, text);
        const auto* frame = std::get_if<Frame>(&read);
        if (frame == nullptr) return;
        check_promises(*frame);
        RC_ASSERT(is_frame(version, text, *frame));
    }));
}

TEST_CASE("bytes that nobody chose are no frame of either version") {
    CHECK(rc::check([](const std::string& bytes) {
        for (const Version version : versions)
            RC_ASSERT(std::holds_alternative<Malformed>(decoded(version, bytes)));
    }));
}

}  // namespace chatx::proto::phoenix
