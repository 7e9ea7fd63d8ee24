#include "proto/json_value.h"

#include "proto/json.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <variant>

namespace chatx::proto::json {

namespace {

Value parsed(std::string_view text) {
    Parser parser;
    auto result = parser.parse(text);
    REQUIRE(std::holds_alternative<Value>(result));
    return std::get<Value>(std::move(result));
}

}  // namespace

TEST_CASE("a value is seen as its own kind and as no other") {
    CHECK(Value().is_null());
    CHECK(Value::boolean(true).as_bool() == true);
    CHECK(*Value::string("x").as_string() == "x");
    CHECK(Value::number(-5).as_int64() == -5);
    CHECK(Value::array({Value(), Value()}).as_array()->size() == 2);
    CHECK(Value::object({{"a", Value()}}).as_object()->size() == 1);

    const auto text = Value::string("1");
    CHECK(text.kind() == Value::Kind::string);
    CHECK_FALSE(text.is_null());
    CHECK_FALSE(text.as_bool().has_value());
    CHECK_FALSE(text.as_int64().has_value());
    CHECK(text.number_text() == nullptr);
    CHECK(text.as_array() == nullptr);
    CHECK(text.as_object() == nullptr);
    CHECK(text.find("a") == nullptr);
    CHECK(Value().as_string() == nullptr);
}

TEST_CASE("a number is an integer only when it is written as one that fits") {
    CHECK(parsed("9223372036854775807").as_int64() == std::numeric_limits<std::int64_t>::max());
    CHECK(parsed("-9223372036854775808").as_int64() == std::numeric_limits<std::int64_t>::min());
    CHECK_FALSE(parsed("9223372036854775808").as_int64().has_value());
    CHECK(parsed("18446744073709551615").as_uint64() == std::numeric_limits<std::uint64_t>::max());
    CHECK_FALSE(parsed("18446744073709551616").as_uint64().has_value());
    CHECK_FALSE(parsed("-1").as_uint64().has_value());
    CHECK_FALSE(parsed("1.0").as_int64().has_value());
    CHECK_FALSE(parsed("1e2").as_int64().has_value());
}

TEST_CASE("a number is a double when one can hold it") {
    CHECK(parsed("1.5").as_double() == 1.5);
    CHECK(parsed("-2e3").as_double() == -2000.0);
    CHECK(parsed("7").as_double() == 7.0);
    CHECK_FALSE(parsed("1e999").as_double().has_value());
}

TEST_CASE("of members with one key the last one counts") {
    const auto value = Value::object(
        {{"b", Value::number(1)},
         {"a", Value::number(2)},
         {"b", Value::number(3)},
         {"b", Value::number(4)}});
    CHECK(value.as_object()->size() == 2);
    CHECK(value.find("a")->as_int64() == 2);
    CHECK(value.find("b")->as_int64() == 4);
    CHECK(value.find("c") == nullptr);
    CHECK(value.find("") == nullptr);
}

TEST_CASE("objects are equal when they say the same in another order") {
    CHECK(parsed(R"({"a":1,"b":[2]})") == parsed(R"({ "b":[2], "a":1 })"));
    CHECK(parsed(R"({"a":1})") != parsed(R"({"a":1.0})"));
    CHECK(parsed("[1,2]") != parsed("[2,1]"));
    CHECK(Value::string("1") != Value::number(1));
}

TEST_CASE("the inside of a value can be taken") {
    CHECK(Value::string("text").take_string() == "text");
    CHECK(Value::number(1).take_string().empty());
    CHECK(Value::array({Value::number(1)}).take_array().size() == 1);
    CHECK(Value().take_array().empty());
}

}  // namespace chatx::proto::json
