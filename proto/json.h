#pragma once

#include "proto/json_value.h"

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

/// JSON as RFC 8259 has it: a parser for what others sent, a small tree to read, a writer for what
/// we say.
namespace chatx::proto::json {

/// Why a text was not taken for JSON.
enum class ParseError : std::uint8_t {
    malformed,
    invalid_utf8,
    too_large,
    too_deep,
    too_many_values,
};

/// A few words on an error, for people.
std::string_view to_text(ParseError error);

/// How much a parser takes before it refuses.
struct Limits {
    std::size_t text_size_max = 1 << 20;  // Bytes.
    std::size_t depth_max = 32;           // Arrays and objects inside each other.
    std::size_t values_max = 10'000;      // All of them, containers and what is inside.
};

/// Turns texts into values. Takes exactly what RFC 8259 allows, of any number size, and looks at
/// all of it.
///
/// Keeps its buffers from one text to the next: some seven bytes for each byte of the longest one.
/// Lives on one loop, which needs only one. Works on simdjson's structural index (Langdale and
/// Lemire, 2019).
class Parser {
public:
    explicit Parser(Limits limits = {});
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser();

    /// Parses one complete document. The result refers to nothing: `text` may go.
    [[nodiscard]] std::variant<Value, ParseError> parse(std::string_view text);

private:
    struct Buffers;

    Limits limits_;
    std::unique_ptr<Buffers> buffers_;
};

/// Appends JSON to a string, comma by comma. The caller sees to the shape: a key before each
/// member, an end for each begin. Texts must be UTF-8; then what is written is JSON on one line,
/// safe inside JavaScript and server-sent events.
class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}

    void begin_object() { open('{'); }

    void end_object() { close('}'); }

    void begin_array() { open('['); }

    void end_array() { close(']'); }

    void key(std::string_view name);

    void null() { raw("null"); }

    void boolean(bool value) { raw(value ? "true" : "false"); }

    void string(std::string_view text);
    void value(const Value& value);

    template <std::integral Number>
    void number(Number number) {
        std::array<char, 20> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
        raw({digits.data(), static_cast<std::size_t>(end.ptr - digits.data())});
    }

    /// Puts JSON that is already encoded in the place of a value.
    void raw(std::string_view json);

    /// Puts encoded members (`"a":1,"b":2`, maybe none) in the place of members.
    void raw_members(std::string_view members);

private:
    void separate();
    void open(char bracket);
    void close(char bracket);

    std::string& out_;
    bool comma_due_ = false;
};

/// Appends a text as a JSON string with its quotes. Escapes quotes, backslashes, controls, U+2028
/// and U+2029.
void append_string(std::string& out, std::string_view text);

/// A value as JSON without spaces.
std::string to_json(const Value& value);

}  // namespace chatx::proto::json
