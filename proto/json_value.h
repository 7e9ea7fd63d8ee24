#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::proto::json {

/// One JSON value, and what is inside it. Immutable once made; copied and compared like any value.
///
/// Members of an object are in order of key, each key once: of duplicates the last one counts. So
/// two objects are equal when they say the same, whatever the order they were written in.
class Value {
public:
    enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
    struct Member;

    Value() = default;  // null

    static Value boolean(bool value);
    static Value number(std::int64_t value);
    /// Takes UTF-8.
    static Value string(std::string text);
    static Value array(std::vector<Value> items);
    static Value object(std::vector<Member> members);

    [[nodiscard]] Kind kind() const { return static_cast<Kind>(state_.index()); }

    [[nodiscard]] bool is_null() const { return kind() == Kind::null; }

    // Each is empty or null when the value is of another kind.
    [[nodiscard]] std::optional<bool> as_bool() const;
    [[nodiscard]] const std::string* as_string() const;
    [[nodiscard]] const std::vector<Value>* as_array() const;
    [[nodiscard]] const std::vector<Member>* as_object() const;

    // A number is kept as it was written, so that it goes back byte for byte. The integer views are
    // empty for anything with a fraction or an exponent and outside their range, the other one for
    // what a double cannot hold.
    [[nodiscard]] const std::string* number_text() const;
    [[nodiscard]] std::optional<std::int64_t> as_int64() const;
    [[nodiscard]] std::optional<std::uint64_t> as_uint64() const;
    [[nodiscard]] std::optional<double> as_double() const;

    /// The member of that key; null when there is none or this is no object. Logarithmic.
    [[nodiscard]] const Value* find(std::string_view key) const;

    /// True for a string in which an escape named half of a surrogate pair. Such a half is no
    /// character, so U+FFFD stands in its place; whoever wants the exact text must refuse.
    [[nodiscard]] bool has_replaced_surrogate() const;

    /// The inside of a value that is not needed any more; empty when it is of another kind.
    [[nodiscard]] std::string take_string() &&;
    [[nodiscard]] std::vector<Value> take_array() &&;

    bool operator==(const Value&) const = default;

private:
    friend class Reader;

    struct Number {
        std::string text;
        bool operator==(const Number&) const = default;
    };

    struct String {
        std::string text;
        bool replaced_surrogate;
        bool operator==(const String&) const = default;
    };

    // In the order of Kind.
    using State =
        std::variant<std::monostate, bool, Number, String, std::vector<Value>, std::vector<Member>>;

    explicit Value(State state);

    template <class Result>
    [[nodiscard]] std::optional<Result> number_as() const;

    State state_;
};

struct Value::Member {
    std::string key;
    Value value;
    bool operator==(const Member&) const = default;
};

}  // namespace chatx::proto::json
