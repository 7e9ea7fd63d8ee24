#include "proto/json_value.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace chatx::proto::json {

Value::Value(State state) : state_(std::move(state)) {}

Value Value::boolean(bool value) {
    return Value(State(value));
}

Value Value::number(std::int64_t value) {
    return Value(State(Number{std::to_string(value)}));
}

Value Value::string(std::string text) {
    return Value(State(String{std::move(text), false}));
}

Value Value::array(std::vector<Value> items) {
    return Value(State(std::move(items)));
}

Value Value::object(std::vector<Member> members) {
    std::ranges::stable_sort(members, {}, &Member::key);
    // Backwards, the last of equal keys is the first to be seen, which is the one that `unique`
    // keeps.
    const auto kept =
        std::unique(members.rbegin(), members.rend(), [](const Member& one, const Member& other) {
            return one.key == other.key;
        });
    members.erase(members.begin(), kept.base());
    return Value(State(std::move(members)));
}

std::optional<bool> Value::as_bool() const {
    const auto* value = std::get_if<bool>(&state_);
    return value ? std::optional(*value) : std::nullopt;
}

const std::string* Value::as_string() const {
    const auto* string = std::get_if<String>(&state_);
    return string ? &string->text : nullptr;
}

const std::vector<Value>* Value::as_array() const {
    return std::get_if<std::vector<Value>>(&state_);
}

const std::vector<Value::Member>* Value::as_object() const {
    return std::get_if<std::vector<Member>>(&state_);
}

const std::string* Value::number_text() const {
    const auto* number = std::get_if<Number>(&state_);
    return number ? &number->text : nullptr;
}

template <class Result>
std::optional<Result> Value::number_as() const {
    const std::string* text = number_text();
    if (!text) return std::nullopt;
    Result result{};
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, result);
    if (error != std::errc() || stop != end) return std::nullopt;
    return result;
}

std::optional<std::int64_t> Value::as_int64() const {
    return number_as<std::int64_t>();
}

std::optional<std::uint64_t> Value::as_uint64() const {
    return number_as<std::uint64_t>();
}

std::optional<double> Value::as_double() const {
    return number_as<double>();
}

const Value* Value::find(std::string_view key) const {
    const auto* members = as_object();
    if (!members) return nullptr;
    const auto found = std::ranges::lower_bound(*members, key, {}, &Member::key);
    return found != members->end() && found->key == key ? &found->value : nullptr;
}

bool Value::has_replaced_surrogate() const {
    const auto* string = std::get_if<String>(&state_);
    return string && string->replaced_surrogate;
}

std::string Value::take_string() && {
    auto* string = std::get_if<String>(&state_);
    return string ? std::move(string->text) : std::string();
}

std::vector<Value> Value::take_array() && {
    auto* array = std::get_if<std::vector<Value>>(&state_);
    return array ? std::move(*array) : std::vector<Value>();
}

}  // namespace chatx::proto::json
