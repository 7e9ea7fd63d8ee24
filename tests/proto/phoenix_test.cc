#include "proto/phoenix.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <variant>

namespace chatx::proto::phoenix {

namespace {

using Decoded = std::variant<Frame, Malformed>;

Decoded decode(Version version, std::string_view text) {
    json::Parser parser;
    return phoenix::decode(parser, version, text);
}

Decoded decode_v2(std::string_view text) {
    return decode(Version::v2, text);
}

Frame frame_of(std::string_view text, Version version = Version::v2) {
    auto decoded = decode(version, text);
    REQUIRE(std::holds_alternative<Frame>(decoded));
    return std::get<Frame>(std::move(decoded));
}

bool is_malformed(std::string_view text, Version version = Version::v2) {
    return std::holds_alternative<Malformed>(decode(version, text));
}

Ref ref_of(std::string_view json) {
    return frame_of("[null," + std::string(json) + R"(,"t","e",{}])").ref;
}

/// What one of the encoders appends.
template <class Append, class... Args>
std::string appended(Append append, Version version, const Args&... args) {
    std::string out;
    append(out, version, args...);
    return out;
}

std::string reply(const Reply& reply) {
    return appended(append_reply, Version::v2, reply);
}

std::string broadcast(const Broadcast& broadcast) {
    return appended(append_broadcast, Version::v2, broadcast);
}

std::string push(const Push& push) {
    return appended(append_push, Version::v2, push);
}

const Ref null;

Ref text(std::string_view value) {
    return Ref::string(value);
}

}  // namespace

TEST_CASE("a version is 1.0.x or 2.0.x in three numbers") {
    CHECK(parse_vsn("1.0.0") == Version::v1);
    CHECK(parse_vsn("1.0.7") == Version::v1);
    CHECK(parse_vsn("2.0.0") == Version::v2);
    CHECK(parse_vsn("2.0.1") == Version::v2);
    CHECK(parse_vsn("2.0.10") == Version::v2);
    for (const std::string_view vsn :
         {"",
          "2",
          "2.0",
          "abc",
          "2.1.0",
          "3.0.0",
          "0.0.0",
          "1.1.0",
          "2.0.0.0",
          "2.0.",
          "2..0",
          ".0.0",
          "2.0.a",
          "2.0.0-rc.1",
          "-2.0.0",
          "+2.0.0",
          " 2.0.0",
          "2.0.0 ",
          "02.0.0",
          "2.00.0",
          "4294967298.0.0",
          "2.0.99999999999999999999",
          "2,0,0"}) {
        CAPTURE(vsn);
        CHECK_FALSE(parse_vsn(vsn).has_value());
    }
}

TEST_CASE("the frames of the recorded client are read") {
    const auto join = frame_of(R"(["1","1","room:a","phx_join",{}])");
    CHECK(join.join_ref == text("1"));
    CHECK(join.ref == text("1"));
    CHECK(join.topic == "room:a");
    CHECK(join.event == join_event);
    CHECK(join.payload == json::Value::object({}));

    const auto heartbeat = frame_of(R"([null,"2","phoenix","heartbeat",{}])");
    CHECK(heartbeat.join_ref.is_null());
    CHECK(heartbeat.topic == connection_topic);
    CHECK(heartbeat.event == heartbeat_event);

    const auto message = frame_of(R"(["1","3","room:a","new_msg",{"body":"hi"}])");
    CHECK(*message.payload.find("body")->as_string() == "hi");

    CHECK(frame_of(R"(["1",9,"room:a","err",{}])").ref.json() == "9");
    CHECK(frame_of(R"(["1",null,"room:a","err",{}])").ref.is_null());
    CHECK(frame_of(R"([30,30,"room:int","phx_join",{}])").join_ref.json() == "30");
    CHECK(frame_of(R"(["18","18","room:a","phx_join",{"deny":true}])")
              .payload.find("deny")
              ->as_bool());
    for (const std::string_view line :
         {R"(["1","5","room:a","err",{}])",
          R"(["1","6","room:a","noreply",{}])",
          R"([null,"7","room:a","err",{}])",
          R"(["99","8","room:a","err",{}])",
          R"(["10","10","room:a","phx_join",{}])",
          R"(["1","11","room:a","new_msg",{"stale":true}])",
          R"(["1","13","room:a","phx_leave",{}])",
          R"(["10","16","room:a","new_msg",{}])",
          R"(["17","17","nope","phx_join",{}])",
          R"(["19","19","room:a","phx_join",{"boom":true}])",
          R"([null,"20","room:nj","phx_join",{}])",
          R"(["5","22","room:nj","err",{}])",
          R"(["30","32","room:int","err",{}])",
          R"([30,33,"room:int","phx_leave",{}])",
          R"(["40","41","room:c","boom",{}])",
          R"(["44","45","room:c","stopreply",{}])",
          R"(["5","6","room:r","new_msg",{"n":3}])"}) {
        CAPTURE(line);
        const auto frame = frame_of(line);
        CHECK(
            appended(
                append_frame,
                Version::v2,
                FrameView{
                    frame.join_ref,
                    frame.ref,
                    frame.topic,
                    frame.event,
                    json::to_json(frame.payload)})
            == line);
    }
}

TEST_CASE("the lines of the recorded server come out byte for byte") {
    CHECK(
        reply({text("1"), text("1"), "room:a", Status::ok, R"({"messages":[]})"})
        == R"(["1","1","room:a","phx_reply",{"response":{"messages":[]},"status":"ok"}])");
    CHECK(
        appended(append_heartbeat_reply, Version::v2, text("2"))
        == R"([null,"2","phoenix","phx_reply",{"response":{},"status":"ok"}])");
    CHECK(
        broadcast({"room:a", "new_msg", R"({"body":"hi"})"})
        == R"([null,null,"room:a","new_msg",{"body":"hi"}])");
    CHECK(
        reply({text("1"), text("3"), "room:a"})
        == R"(["1","3","room:a","phx_reply",{"response":{},"status":"ok"}])");
    CHECK(
        reply({text("1"), text("5"), "room:a", Status::error, R"({"reason":"nope"})"})
        == R"(["1","5","room:a","phx_reply",{"response":{"reason":"nope"},"status":"error"}])");
    CHECK(
        reply({text("1"), ref_of("9"), "room:a", Status::error, R"({"reason":"nope"})"})
        == R"(["1",9,"room:a","phx_reply",{"response":{"reason":"nope"},"status":"error"}])");
    CHECK(
        reply({text("1"), null, "room:a", Status::error, R"({"reason":"nope"})"})
        == R"(["1",null,"room:a","phx_reply",{"response":{"reason":"nope"},"status":"error"}])");
    CHECK(
        appended(append_close, Version::v2, text("1"), std::string_view("room:a"))
        == R"(["1","1","room:a","phx_close",{}])");
    CHECK(
        appended(append_unmatched_topic, Version::v2, text("16"), std::string_view("room:a"))
        == R"([null,"16","room:a","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}])");
    CHECK(
        reply({null, text("20"), "room:nj", Status::ok, R"({"messages":[]})"})
        == R"([null,"20","room:nj","phx_reply",{"response":{"messages":[]},"status":"ok"}])");
    CHECK(
        appended(append_close, Version::v2, null, std::string_view("room:nj"))
        == R"([null,null,"room:nj","phx_close",{}])");
    CHECK(
        appended(append_close, Version::v2, ref_of("30"), std::string_view("room:int"))
        == R"([30,30,"room:int","phx_close",{}])");
    CHECK(
        appended(append_error, Version::v2, text("40"), std::string_view("room:c"), channel_crash)
        == R"(["40","40","room:c","phx_error",{"reason":"channel_crash"}])");
    CHECK(
        reply({text("44"), text("45"), "room:c", Status::ok, R"({"bye":1})"})
        == R"(["44","45","room:c","phx_reply",{"response":{"bye":1},"status":"ok"}])");
}

TEST_CASE("the recorded presence lines come out byte for byte") {
    CHECK(
        broadcast(
            {"room:p",
             presence_diff_event,
             R"({"joins":{"u1":{"metas":[{"name":"A","online_at":1,"phx_ref":"GOrBM2bdZJUe0QUB"}]}},"leaves":{}})"})
        == R"([null,null,"room:p","presence_diff",{"joins":{"u1":{"metas":[{"name":"A","online_at":1,"phx_ref":"GOrBM2bdZJUe0QUB"}]}},"leaves":{}}])");
    CHECK(
        push(
            {text("60"),
             "room:p",
             presence_state_event,
             R"({"u1":{"metas":[{"name":"A","online_at":1,"phx_ref":"GOrBM2bdZJUe0QUB"}]}})"})
        == R"(["60",null,"room:p","presence_state",{"u1":{"metas":[{"name":"A","online_at":1,"phx_ref":"GOrBM2bdZJUe0QUB"}]}}])");
}

TEST_CASE("the recorded lines of version 1 are read and come out byte for byte") {
    const auto join =
        frame_of(R"({"topic":"room:v","event":"phx_join","payload":{},"ref":"1"})", Version::v1);
    CHECK(join.topic == "room:v");
    CHECK(join.event == join_event);
    CHECK(join.ref == text("1"));
    CHECK(join.join_ref.is_null());
    CHECK(
        appended(
            append_reply,
            Version::v1,
            Reply{null, text("1"), "room:v", Status::ok, R"({"messages":[]})"})
        == R"({"event":"phx_reply","payload":{"response":{"messages":[]},"status":"ok"},"ref":"1","topic":"room:v"})");
    CHECK(
        appended(append_broadcast, Version::v1, Broadcast{"room:v", "new_msg", R"({"b":1})"})
        == R"({"event":"new_msg","payload":{"b":1},"ref":null,"topic":"room:v"})");
    CHECK(
        appended(append_close, Version::v1, null, std::string_view("room:v"))
        == R"({"event":"phx_close","payload":{},"ref":null,"topic":"room:v"})");
    CHECK(
        appended(append_error, Version::v1, null, std::string_view("room:v"), channel_crash)
        == R"({"event":"phx_error","payload":{"reason":"channel_crash"},"ref":null,"topic":"room:v"})");
}

TEST_CASE("version 1 wants all four keys and takes a join ref") {
    CHECK(
        frame_of(R"({"topic":"t","event":"e","payload":1,"ref":null,"join_ref":"7"})", Version::v1)
            .join_ref
        == text("7"));
    for (const std::string_view line :
         {"{}",
          R"({"event":"e","payload":{},"ref":"1"})",
          R"({"topic":"t","payload":{},"ref":"1"})",
          R"({"topic":"t","event":"e","ref":"1"})",
          R"({"topic":"t","event":"e","payload":{}})",
          R"(["1","1","t","e",{}])",
          R"({"topic":"t","event":"e","payload":{},"ref":{}})",
          "null",
          "7"}) {
        CAPTURE(line);
        CHECK(is_malformed(line, Version::v1));
    }
}

TEST_CASE("more than five elements are fine, fewer are not") {
    CHECK(frame_of(R"(["1","2","t","e",{},"more",[{}]])").event == "e");
    CHECK(decode_v2(R"(["1","2","t","e"])") == Decoded(Malformed{"not an array of five"}));
    for (const std::string_view line :
         {"",
          "[]",
          "{}",
          "null",
          "\"text\"",
          "7",
          "garbage",
          R"({"topic":"t","event":"e","payload":{},"ref":"1"})",
          R"(["1","2","t","e",{}] x)",
          R"(["1","2","t","e",{},])",
          R"(["1","2","t","e",{})"}) {
        CAPTURE(line);
        CHECK(is_malformed(line));
    }
}

TEST_CASE("a payload is anything that JSON has, within limits") {
    CHECK(frame_of(R"([null,null,"t","e",null])").payload.is_null());
    CHECK(frame_of(R"([null,null,"t","e",7])").payload.as_int64() == 7);
    CHECK(frame_of(R"([null,null,"t","e",[1,2]])").payload.as_array()->size() == 2);
    CHECK(*frame_of(R"([null,null,"t","e","\u0000"])").payload.as_string() == std::string(1, '\0'));
    const auto content = frame_of(R"([null,null,"t","e",{"content":"\ud800"}])");
    CHECK(content.payload.find("content")->has_replaced_surrogate());

    const auto deep = "[null,null,\"t\",\"e\"," + std::string(40, '[') + std::string(40, ']') + "]";
    CHECK(decode_v2(deep) == Decoded(Malformed{"nested too deeply"}));
    CHECK(decode_v2("[null,null,\"t\",\"e\",\"\xFF\"]") == Decoded(Malformed{"not UTF-8"}));
}

TEST_CASE("an event is a short text without controls") {
    const std::string longest(255, 'x');
    CHECK(frame_of(R"([null,null,"t",")" + longest + R"(",{}])").event == longest);
    for (const std::string_view name :
         {R"("")",
          "null",
          "7",
          "[]",
          "{}",
          "true",
          R"("a\nb")",
          R"("\u0000")",
          R"("\u007f")",
          R"("\u0085")",
          R"("\ud800")"}) {
        CAPTURE(name);
        CHECK(is_malformed(R"([null,null,"t",)" + std::string(name) + ",{}]"));
    }
    CHECK(is_malformed(R"([null,null,"t",")" + longest + R"(x",{}])"));
}

TEST_CASE("a topic is any text: a name that is no good is answered, not punished") {
    const std::string longer(300, 'x');
    CHECK(frame_of(R"([null,null,")" + longer + R"(","e",{}])").topic == longer);
    CHECK(frame_of(R"([null,null,"","e",{}])").topic.empty());
    CHECK(frame_of(R"([null,null,"a\nb","e",{}])").topic == "a\nb");
    for (const std::string_view topic : {"null", "7", "[]", "{}", "true", R"("\ud800")"}) {
        CAPTURE(topic);
        CHECK(is_malformed("[null,null," + std::string(topic) + R"(,"e",{}])"));
    }
}

TEST_CASE("a ref goes back with its type and to the last digit") {
    for (const std::string_view json :
         {"null",
          "9",
          "\"9\"",
          "12345678901234567890123",
          "1.50",
          "-0",
          "true",
          "\"\"",
          "\"a b\"",
          "\"\xC3\xA9\"",
          R"("\"")"}) {
        CAPTURE(json);
        CHECK(ref_of(json).json() == json);
    }
}

TEST_CASE("refs are equal by value and type") {
    CHECK(ref_of("30") == ref_of(" 30 "));
    CHECK(ref_of("30") != ref_of("\"30\""));
    CHECK(ref_of("null") == Ref());
    CHECK(ref_of("null") != ref_of("\"null\""));
    CHECK(ref_of(R"("\u0031")") == ref_of("\"1\""));
    CHECK(ref_of("\"1\"") == Ref::string("1"));
    CHECK_FALSE(Ref::string("null").is_null());
}

TEST_CASE("a ref that is no scalar or too long makes a frame malformed") {
    CHECK(is_malformed(R"([[],null,"t","e",{}])"));
    CHECK(is_malformed(R"([null,{},"t","e",{}])"));
    CHECK(ref_of('"' + std::string(62, 'x') + '"').json().size() == Ref::size_max);
    CHECK(is_malformed("[null,\"" + std::string(63, 'x') + R"(","t","e",{}])"));
    CHECK(is_malformed("[" + std::string(65, '1') + R"(,null,"t","e",{}])"));
}

TEST_CASE("topics and events are escaped on their way out") {
    CHECK(broadcast({"a\"b", "c\\d", "{}"}) == R"([null,null,"a\"b","c\\d",{}])");
}

TEST_CASE("encoders append") {
    std::string out = "x";
    append_heartbeat_reply(out, Version::v2, null);
    CHECK(out == R"(x[null,null,"phoenix","phx_reply",{"response":{},"status":"ok"}])");
}

TEST_CASE("a client may not send what the client library takes for its own") {
    for (const std::string_view event :
         {"phx_join",
          "phx_close",
          "phx_",
          "phx_anything",
          "chan_reply_1",
          "presence_state",
          "presence_diff"}) {
        CHECK(is_reserved_event(event));
    }
    for (const std::string_view event :
         {"new_message", "phx", "chan_reply", "presence", "typing", "PHX_close"}) {
        CHECK_FALSE(is_reserved_event(event));
    }
}

TEST_CASE("names that every JavaScript object has are no presence keys") {
    CHECK(is_prototype_key("__proto__"));
    CHECK(is_prototype_key("constructor"));
    CHECK(is_prototype_key("hasOwnProperty"));
    CHECK_FALSE(is_prototype_key("ann"));
    CHECK_FALSE(is_prototype_key("proto"));
    CHECK_FALSE(is_prototype_key(""));
}

}  // namespace chatx::proto::phoenix
