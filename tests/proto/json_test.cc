#include "proto/json.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <array>
#include <string>
#include <variant>
#include <vector>

namespace chatx::proto::json {

namespace {

using Parsed = std::variant<Value, ParseError>;

Parsed parse(std::string_view text) {
    Parser parser;
    return parser.parse(text);
}

Value value_of(std::string_view text) {
    auto parsed = parse(text);
    REQUIRE(std::holds_alternative<Value>(parsed));
    return std::get<Value>(std::move(parsed));
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

std::string encoded(std::string_view text) {
    std::string out;
    append_string(out, text);
    return out;
}

}  // namespace

TEST_CASE("what RFC 8259 allows is read, whatever the spaces") {
    struct Case {
        std::string_view text;
        std::string_view again;  // What comes out when the value is written.
    };

    constexpr auto cases = std::to_array<Case>({
        {"null", "null"},
        {"true", "true"},
        {"false", "false"},
        {" \t\n\r null \t\n\r ", "null"},
        {"0", "0"},
        {"-0", "-0"},
        {"1", "1"},
        {"-1", "-1"},
        {"10", "10"},
        {"1.0", "1.0"},
        {"-0.5", "-0.5"},
        {"1e5", "1e5"},
        {"1E+5", "1E+5"},
        {"1.25e-10", "1.25e-10"},
        {"12345678901234567890123", "12345678901234567890123"},
        {"-9999999999999999999999999", "-9999999999999999999999999"},
        {"0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"},
        {"1e99999", "1e99999"},
        {"[12345678901234567890123]", "[12345678901234567890123]"},
        {"\"\"", "\"\""},
        {"\"a\"", "\"a\""},
        {" \"a b\" ", "\"a b\""},
        {R"("\"\\\/\b\f\n\r\t")", R"("\"\\/\b\f\n\r\t")"},
        {R"("\u0041\u00e9\u20ac")", "\"A\xC3\xA9\xE2\x82\xAC\""},
        {R"("\u20AC")", "\"\xE2\x82\xAC\""},
        {R"("\ud83c\udf89")", "\"\xF0\x9F\x8E\x89\""},
        {R"("\uDBFF\uDFFF")", "\"\xF4\x8F\xBF\xBF\""},
        {R"("\u0000")", R"("\u0000")"},
        {R"("\u2028\u2029")", R"("\u2028\u2029")"},
        {"\"\xE2\x80\xA8\"", R"("\u2028")"},
        {"\"\x7F\"", "\"\x7F\""},
        {R"("\\u0041")", R"("\\u0041")"},
        {R"("\\")", R"("\\")"},
        {R"(["\\","\""])", R"(["\\","\""])"},
        {"[]", "[]"},
        {" [ ] ", "[]"},
        {"[1]", "[1]"},
        {"[1,2]", "[1,2]"},
        {" [ 1 , \"x\" , null , true , false , [ ] , { } ] ", "[1,\"x\",null,true,false,[],{}]"},
        {"[[[]],[]]", "[[[]],[]]"},
        {"{}", "{}"},
        {" { } ", "{}"},
        {R"({"a":1})", R"({"a":1})"},
        {R"({ "b" : 1 , "a" : { "c" : [ ] } })", R"({"a":{"c":[]},"b":1})"},
        {R"({"a":1,"a":2})", R"({"a":2})"},
        {R"({"a":1,"\u0061":2})", R"({"a":2})"},
        {R"({"":0})", R"({"":0})"},
        {R"({"a\"b":1})", R"({"a\"b":1})"},
        {R"({"\\":1})", R"({"\\":1})"},
        {R"({"[":"]","{":"}"})", R"({"[":"]","{":"}"})"},
        {"{\"\xC3\xA9\":1}", "{\"\xC3\xA9\":1}"},
    });
    for (const auto& each : cases) {
        CAPTURE(each.text);
        CHECK(to_json(value_of(each.text)) == each.again);
    }
}

TEST_CASE("what RFC 8259 does not allow is refused, in a corner or not") {
    // clang-format off
    constexpr auto cases = std::to_array<std::string_view>({
        // Empty, words, two values.
        "", " ", "\n", "nul", "nulll", "null null", "True", "NaN", "Infinity", "-Infinity", "1 2",
        "[tru]", "[nul]", "[truefalse]", "[true false]", "[NaN]", "[-Infinity]", "[][]", "{}{}",
        // Numbers.
        "01", "-01", "00", "+1", "-", "1.", ".1", "-.1", "1.e1", "1e", "1e+", "1E-", "0x10", "1_000",
        "1,", "--1", "1e1.5", "1a", "0e", "[01]", "[1.]", "[-]", "[+1]", "[.5]", "[1e]", "[0x1]",
        "[1 000]", "[1\v]", "1\f", "{\"a\":01}",
        // Strings.
        "\"", "\"a", "a\"", "'a'", "\"a\"b", "\"a\" \"b\"", "\"\\\"", "\"\t\"", "\"\n\"", "\"\x01\"",
        "\"\x1F\"", "[\"\t\"]", "{\"\t\":1}", R"("\x41")", R"("\a")", R"("\'")", R"("\u")",
        R"("\u12")", R"("\u123")", R"("\u12g4")", R"("\u-123")", R"("\u+123")", R"("\u 123")",
        R"("\U0041")", R"("\ud83c\u")", R"("\ud83c\u12")", R"(["\x"])", R"({"\x":1})",
        // Arrays.
        "[", "]", "[1", "1]", "[1,", "[1,]", "[,1]", "[1,,2]", "[,]", "[1 2]", "[1:2]", "[1}", "[[1]",
        "[1]]", "[1];", "[1],", "[1] x", "[1]\"", "[1]\"a\"", "[{]", "[{]}", "[}]", R"(["a" "b"])",
        R"(["a":1])",
        // Objects.
        "{", "}", "{1}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{[]:1}", "{:1}", "{} 1", R"({"a")",
        R"({"a"})", R"({"a":})", R"({"a":1)", R"({"a" 1})", R"({"a",1})", R"({"a"::1})",
        R"({"a":1,})", R"({,"a":1})", R"({"a":1,,"b":2})", R"({"a":1 "b":2})", R"({"a":1])",
        R"({"a":1}})", R"({"a":1}x)", R"({"a":nul})", R"({"a":"b":1})", R"({"a":1:2})", R"({"a":[1})",
        R"({"a":{})",
        // What others allow.
        "[1] // c", "/* c */ 1", "# c\n1", "\xEF\xBB\xBF[]", "[1]\f", "\xC2\xA0[1]", "[\v1]",
    });
    // clang-format on
    for (const auto text : cases) {
        CAPTURE(text);
        CHECK(parse(text) == Parsed(ParseError::malformed));
    }
    CHECK(parse(std::string_view("[1]\0", 4)) == Parsed(ParseError::malformed));
    CHECK(parse(std::string_view("[1\0]", 4)) == Parsed(ParseError::malformed));
    CHECK(parse(std::string_view("\"\0\"", 3)) == Parsed(ParseError::malformed));
    CHECK(parse(std::string_view("\0", 1)) == Parsed(ParseError::malformed));
}

TEST_CASE("a text that is not UTF-8 is refused, also outside strings") {
    CHECK(parse("[\"\xFF\"]") == Parsed(ParseError::invalid_utf8));
    CHECK(parse("[\"\xED\xA0\x80\"]") == Parsed(ParseError::invalid_utf8));
    CHECK(parse("{\"\xC3\":1}") == Parsed(ParseError::invalid_utf8));
    CHECK(parse("\"\xC0\x80\"") == Parsed(ParseError::invalid_utf8));
    CHECK(std::holds_alternative<ParseError>(parse("[1]\xFF")));
}

TEST_CASE("half a surrogate pair becomes a replacement character, and is told") {
    struct Case {
        std::string_view text;
        std::string_view meaning;
    };

    constexpr auto cases = std::to_array<Case>({
        {R"("\ud800")", "\xEF\xBF\xBD"},
        {R"("\udc00")", "\xEF\xBF\xBD"},
        {R"("a\ud83c!")", "a\xEF\xBF\xBD!"},
        {R"("\ud83c\n")", "\xEF\xBF\xBD\n"},
        {R"("\ud83c\u0021")", "\xEF\xBF\xBD!"},
        {R"("\ud83c\ud83c\udf89")", "\xEF\xBF\xBD\xF0\x9F\x8E\x89"},
        {R"("\udf89\ud83c")", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {R"("\ud83c\\udf89")", "\xEF\xBF\xBD\\udf89"},
    });
    for (const auto& each : cases) {
        CAPTURE(each.text);
        const auto value = value_of(each.text);
        CHECK(*value.as_string() == each.meaning);
        CHECK(value.has_replaced_surrogate());
    }
    CHECK_FALSE(value_of(R"("\ud83c\udf89")").has_replaced_surrogate());
    CHECK_FALSE(value_of(R"("\ufffd")").has_replaced_surrogate());
    CHECK(value_of(R"({"content":"\ud800"})").find("content")->has_replaced_surrogate());
    CHECK(value_of("{\"\\ud800\":1}").find("\xEF\xBF\xBD")->as_int64() == 1);
}

TEST_CASE("nesting is counted, and its limit passes") {
    CHECK(std::holds_alternative<Value>(parse(nested(32))));
    CHECK(parse(nested(33)) == Parsed(ParseError::too_deep));
    CHECK(parse(nested(100'000)) == Parsed(ParseError::too_deep));
    CHECK(parse(std::string(100'000, '[') + "]") == Parsed(ParseError::too_deep));

    Parser parser({.depth_max = 2});
    CHECK(std::holds_alternative<Value>(parser.parse(R"({"a":[1]})")));
    CHECK(parser.parse(R"({"a":[{}]})") == Parsed(ParseError::too_deep));
    CHECK(parser.parse(R"([[1],[[1]]])") == Parsed(ParseError::too_deep));
}

TEST_CASE("values are counted, containers with them, and their limit passes") {
    Parser parser({.values_max = 4});
    CHECK(std::holds_alternative<Value>(parser.parse("[1,2,3]")));
    CHECK(parser.parse("[1,2,3,4]") == Parsed(ParseError::too_many_values));
    CHECK(std::holds_alternative<Value>(parser.parse(R"({"a":[1,"2"]})")));
    CHECK(parser.parse(R"({"a":[1,"2"],"a":3})") == Parsed(ParseError::too_many_values));
    CHECK(parser.parse("[[],[],[],[]]") == Parsed(ParseError::too_many_values));
    CHECK(Parser({.values_max = 0}).parse("1") == Parsed(ParseError::too_many_values));
}

TEST_CASE("a text at the size limit passes, a longer one is not looked at") {
    Parser parser({.text_size_max = 8});
    CHECK(std::holds_alternative<Value>(parser.parse("\"123456\"")));
    CHECK(parser.parse("\"1234567\"") == Parsed(ParseError::too_large));
}

TEST_CASE("one parser reads many texts, good after bad and short after long") {
    Parser parser;
    CHECK(std::holds_alternative<Value>(parser.parse("[" + std::string(5000, ' ') + "1,2,3]")));
    for (int i = 0; i < 3; ++i) {
        CHECK(parser.parse("[1,2") == Parsed(ParseError::malformed));
        CHECK(parser.parse("[") == Parsed(ParseError::malformed));
        CHECK(to_json(std::get<Value>(parser.parse("[1]"))) == "[1]");
    }
}

TEST_CASE("a document may be a long text of any content") {
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string text(size, 'x');
        CHECK(*value_of(encoded(text)).as_string() == text);
    }
}

TEST_CASE("cut short anywhere, a document is none") {
    constexpr std::string_view text =
        R"(["1",null,"room:\u00e9",{"a":[1.5,true,{"b":"\ud83c\udf89"}],"c":-0.1e5}])";
    REQUIRE(std::holds_alternative<Value>(parse(text)));
    for (std::size_t size = 0; size < text.size(); ++size) {
        CAPTURE(size);
        CHECK(parse(text.substr(0, size)) == Parsed(ParseError::malformed));
    }
}

TEST_CASE("a damaged document is refused or read, never worse") {
    constexpr std::string_view text = R"(["1",null,"r",{"a":[1.5,true,{"b":"\ud83c\udf89"}]}])";
    Parser parser;
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string damaged(text);
            damaged[at] = static_cast<char>(byte);
            const auto parsed = parser.parse(damaged);
            const auto* value = std::get_if<Value>(&parsed);
            if (value) REQUIRE(to_json(value_of(to_json(*value))) == to_json(*value));
        }
    }
}

TEST_CASE("a writer puts commas where they belong") {
    std::string out = "data: ";
    Writer writer(out);
    writer.begin_object();
    writer.key("a");
    writer.begin_array();
    writer.number(1);
    writer.number(std::uint64_t{18446744073709551615U});
    writer.null();
    writer.begin_array();
    writer.end_array();
    writer.boolean(false);
    writer.end_array();
    writer.key("b");
    writer.begin_object();
    writer.end_object();
    writer.key("c");
    writer.raw(R"({"x":[]})");
    writer.key("d");
    writer.string("e");
    writer.end_object();
    CHECK(
        out == R"(data: {"a":[1,18446744073709551615,null,[],false],"b":{},"c":{"x":[]},"d":"e"})");
}

TEST_CASE("members that are encoded already are spliced in, or none") {
    const auto with = [](std::string_view members) {
        std::string out;
        Writer writer(out);
        writer.begin_object();
        writer.raw_members(members);
        writer.key("z");
        writer.number(-1);
        writer.end_object();
        return out;
    };
    CHECK(with("") == R"({"z":-1})");
    CHECK(with(R"("a":1,"b":2)") == R"({"a":1,"b":2,"z":-1})");
}

TEST_CASE("a written text escapes what JSON and JavaScript need, at every place of a word") {
    constexpr auto cases = std::to_array<std::pair<std::string_view, std::string_view>>({
        {"\"", "\\\""},
        {"\\", "\\\\"},
        {"\b", "\\b"},
        {"\f", "\\f"},
        {"\n", "\\n"},
        {"\r", "\\r"},
        {"\t", "\\t"},
        {"\x01", "\\u0001"},
        {"\x1F", "\\u001f"},
        {std::string_view("\0", 1), "\\u0000"},
        {"\xE2\x80\xA8", "\\u2028"},
        {"\xE2\x80\xA9", "\\u2029"},
        {"\xE2\x80\xA6", "\xE2\x80\xA6"},
        {"\xE2\x82\xAC", "\xE2\x82\xAC"},
        {"\xC3\xA9", "\xC3\xA9"},
        {"\x7F", "\x7F"},
        {"/", "/"},
        {"<", "<"},
    });
    for (const auto& [text, escaped] : cases) {
        for (std::size_t before = 0; before < 17; ++before) {
            const std::string front(before, '!');
            const std::string back(17 - before, '~');
            CHECK(
                encoded(front + std::string(text) + back)
                == '"' + front + std::string(escaped) + back + '"');
        }
    }
}

TEST_CASE("what is written reads back the same") {
    CHECK(rc::check([](const std::vector<std::uint16_t>& units) {
        std::string json = "\"";
        for (const auto unit : units) {
            constexpr std::string_view hex = "0123456789abcdef";
            json += "\\u";
            for (const int shift : {12, 8, 4, 0})
                json += hex[(unit >> shift) & 15];
        }
        json += '"';
        const auto value = value_of(json);
        const auto again = value_of(to_json(value));
        RC_ASSERT(*again.as_string() == *value.as_string());
    }));
    CHECK(rc::check([](const std::vector<std::int64_t>& numbers, bool flag) {
        std::vector<Value> items{Value(), Value::boolean(flag)};
        std::vector<Value::Member> members;
        for (const auto number : numbers) {
            items.push_back(Value::number(number));
            members.push_back({std::to_string(number % 10), Value::array(items)});
        }
        const auto value = Value::object(std::move(members));
        RC_ASSERT(value_of(to_json(value)) == value);
    }));
}

TEST_CASE("every parse error has words of its own") {
    CHECK(to_text(ParseError::malformed) == "not JSON");
    CHECK(to_text(ParseError::invalid_utf8) == "not UTF-8");
    CHECK(to_text(ParseError::too_large) == "too large");
    CHECK(to_text(ParseError::too_deep) == "nested too deeply");
    CHECK(to_text(ParseError::too_many_values) == "too many values");
}

}  // namespace chatx::proto::json
