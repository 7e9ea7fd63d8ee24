#include "proto/json.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace chatx::proto::json {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view without_spaces(std::string_view text) {
    constexpr std::string_view spaces = " \t\n\r";
    const auto first = text.find_first_not_of(spaces);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

/// Takes digits from the front of `text`; false when there are none.
bool skip_digits(std::string_view& text) {
    const auto end = std::ranges::find_if_not(text, is_digit);
    const auto count = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(count);
    return count > 0;
}

/// The grammar of RFC 8259, section 6.
bool is_number(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.starts_with('0')) {
        text.remove_prefix(1);
    } else if (!skip_digits(text)) {
        return false;
    }
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (!skip_digits(text)) return false;
    }
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
        if (!skip_digits(text)) return false;
    }
    return text.empty();
}

/// Reads the inside of a JSON string. simdjson refuses half a surrogate pair, which JavaScript can
/// send, so the escapes are read here.
class Unescaper {
public:
    explicit Unescaper(std::string_view escaped) : rest_(escaped) { text_.reserve(rest_.size()); }

    /// False when an escape is none.
    bool run() {
        while (true) {
            const auto backslash = rest_.find('\\');
            text_ += rest_.substr(0, backslash);
            if (backslash == std::string_view::npos) return true;
            rest_.remove_prefix(backslash + 1);
            if (!read_escape()) return false;
        }
    }

    std::string take() { return std::move(text_); }

    [[nodiscard]] bool replaced_surrogate() const { return replaced_surrogate_; }

private:
    bool read_escape() {
        constexpr std::string_view names = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (rest_.empty()) return false;
        const char name = rest_.front();
        rest_.remove_prefix(1);
        if (name == 'u') return read_code_point();
        const auto which = names.find(name);
        if (which == std::string_view::npos) return false;
        text_ += meanings[which];
        return true;
    }

    bool read_code_point() {
        const auto unit = read_unit();
        if (!unit) return false;
        if (*unit < 0xD800 || *unit > 0xDFFF) {
            append(*unit);
            return true;
        }
        if (*unit < 0xDC00 && rest_.starts_with("\\u")) {
            const auto before = rest_;
            rest_.remove_prefix(2);
            const auto low = read_unit();
            if (!low) return false;
            if (*low >= 0xDC00 && *low <= 0xDFFF) {
                append(0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
                return true;
            }
            rest_ = before;
        }
        text_ += replacement_character;
        replaced_surrogate_ = true;
        return true;
    }

    /// Four hexadecimal digits.
    std::optional<std::uint32_t> read_unit() {
        if (rest_.size() < 4) return std::nullopt;
        std::uint32_t unit = 0;
        const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + 4, unit, 16);
        if (error != std::errc() || stop != rest_.data() + 4) return std::nullopt;
        rest_.remove_prefix(4);
        return unit;
    }

    void append(std::uint32_t code_point) {
        const auto tail = [&](unsigned shift) {
            text_ += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F));
        };
        if (code_point < 0x80) {
            text_ += static_cast<char>(code_point);
        } else if (code_point < 0x800) {
            text_ += static_cast<char>(0xC0 | (code_point >> 6));
            tail(0);
        } else if (code_point < 0x10000) {
            text_ += static_cast<char>(0xE0 | (code_point >> 12));
            tail(6);
            tail(0);
        } else {
            text_ += static_cast<char>(0xF0 | (code_point >> 18));
            tail(12);
            tail(6);
            tail(0);
        }
    }

    std::string_view rest_;
    std::string text_;
    bool replaced_surrogate_ = false;
};

/// What stands between the quotes, given where it begins. The index has seen to it that a closing
/// quote comes.
std::string_view up_to_quote(const char* begin) {
    const char* end = begin;
    while (*end != '"')
        end += *end == '\\' ? 2 : 1;
    return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

/// One walk over one document. Every step returns what stopped it, or nothing.
class Reader {
public:
    explicit Reader(const Limits& limits) : limits_(limits) {}

    std::optional<ParseError> read(
        ondemand::document& document, std::string_view text, Value& out) {
        if (text.starts_with('[')) {
            if (const auto error = read_array(document.get_array(), 1, out)) return error;
        } else if (text.starts_with('{')) {
            if (const auto error = read_object(document.get_object(), 1, out)) return error;
        } else {
            return read_root_scalar(document, text, out);
        }
        // simdjson 3.0 says "out of bounds" where a document was read to its end.
        const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
        return at_end ? std::nullopt : malformed;
    }

private:
    using Stop = std::optional<ParseError>;
    static constexpr Stop malformed = ParseError::malformed;

    Stop read_root_scalar(ondemand::document& document, std::string_view text, Value& out) {
        std::string_view token;
        if (document.raw_json_token().get(token)) return malformed;
        if (without_spaces(token) != text) return malformed;
        if (!count()) return ParseError::too_many_values;
        if (!text.starts_with('"')) return read_literal(text, out);
        return read_string(text.substr(1, text.size() - 2), out);
    }

    Stop read_value(ondemand::value value, std::size_t depth, Value& out) {
        std::string_view token = value.raw_json_token();
        switch (token.front()) {
            case '[':
                return read_array(value.get_array(), depth + 1, out);
            case '{':
                return read_object(value.get_object(), depth + 1, out);
            case '"': {
                if (!count()) return ParseError::too_many_values;
                // Also moves on: a string passed over would take a colon with it.
                ondemand::raw_json_string raw;
                if (value.get_raw_json_string().get(raw)) return malformed;
                token = without_spaces(token);
                return read_string(token.substr(1, token.size() - 2), out);
            }
            default:
                if (!count()) return ParseError::too_many_values;
                return read_literal(without_spaces(token), out);
        }
    }

    Stop read_array(
        simdjson::simdjson_result<ondemand::array> result, std::size_t depth, Value& out) {
        if (depth > limits_.depth_max) return ParseError::too_deep;
        if (!count()) return ParseError::too_many_values;
        ondemand::array array;
        if (std::move(result).get(array)) return malformed;
        std::vector<Value> items;
        for (auto item : array) {
            ondemand::value value;
            if (std::move(item).get(value)) return malformed;
            if (items.empty()) items.reserve(5);  // The usual array is a frame.
            if (const auto error = read_value(value, depth, items.emplace_back())) return error;
        }
        out = Value(std::move(items));
        return std::nullopt;
    }

    Stop read_object(
        simdjson::simdjson_result<ondemand::object> result, std::size_t depth, Value& out) {
        if (depth > limits_.depth_max) return ParseError::too_deep;
        if (!count()) return ParseError::too_many_values;
        ondemand::object object;
        if (std::move(result).get(object)) return malformed;
        std::vector<Value::Member> members;
        for (auto item : object) {
            ondemand::field field;
            if (std::move(item).get(field)) return malformed;
            Unescaper key(up_to_quote(field.key().raw()));
            if (!key.run()) return malformed;
            auto& member = members.emplace_back();
            member.key = key.take();
            if (const auto error = read_value(field.value(), depth, member.value)) return error;
        }
        out = Value::object(std::move(members));
        return std::nullopt;
    }

    static Stop read_string(std::string_view escaped, Value& out) {
        Unescaper unescaper(escaped);
        if (!unescaper.run()) return malformed;
        out = Value(Value::String{unescaper.take(), unescaper.replaced_surrogate()});
        return std::nullopt;
    }

    static Stop read_literal(std::string_view token, Value& out) {
        if (token == "true") {
            out = Value::boolean(true);
        } else if (token == "false") {
            out = Value::boolean(false);
        } else if (is_number(token)) {
            out = Value(Value::Number{std::string(token)});
        } else if (token != "null") {
            return malformed;
        }
        return std::nullopt;
    }

    bool count() { return ++count_ <= limits_.values_max; }

    const Limits& limits_;
    std::size_t count_ = 0;
};

std::string_view to_text(ParseError error) {
    switch (error) {
        case ParseError::malformed:
            return "not JSON";
        case ParseError::invalid_utf8:
            return "not UTF-8";
        case ParseError::too_large:
            return "too large";
        case ParseError::too_deep:
            return "nested too deeply";
        case ParseError::too_many_values:
            return "too many values";
    }
    return "";
}

struct Parser::Buffers {
    ondemand::parser parser;
    std::string text;
};

Parser::Parser(Limits limits) : limits_(limits), buffers_(std::make_unique<Buffers>()) {}

Parser::~Parser() = default;

std::variant<Value, ParseError> Parser::parse(std::string_view text) {
    if (text.size() > limits_.text_size_max) return ParseError::too_large;
    auto& padded = buffers_->text;
    padded.assign(text);
    padded.append(simdjson::SIMDJSON_PADDING, '\0');
    ondemand::document document;
    const simdjson::padded_string_view view(padded.data(), text.size(), padded.size());
    if (const auto error = buffers_->parser.iterate(view).get(document)) {
        return error == simdjson::UTF8_ERROR ? ParseError::invalid_utf8 : ParseError::malformed;
    }
    Value value;
    if (const auto error = Reader(limits_).read(document, without_spaces(text), value))
        return *error;
    return value;
}

void Writer::separate() {
    if (comma_due_) out_ += ',';
    comma_due_ = true;
}

void Writer::open(char bracket) {
    separate();
    out_ += bracket;
    comma_due_ = false;
}

void Writer::close(char bracket) {
    out_ += bracket;
    comma_due_ = true;
}

void Writer::key(std::string_view name) {
    separate();
    append_string(out_, name);
    out_ += ':';
    comma_due_ = false;
}

void Writer::string(std::string_view text) {
    separate();
    append_string(out_, text);
}

void Writer::raw(std::string_view json) {
    separate();
    out_ += json;
}

void Writer::raw_members(std::string_view members) {
    if (!members.empty()) raw(members);
}

void Writer::value(const Value& value) {
    switch (value.kind()) {
        case Value::Kind::null:
            return null();
        case Value::Kind::boolean:
            return boolean(*value.as_bool());
        case Value::Kind::number:
            return raw(*value.number_text());
        case Value::Kind::string:
            return string(*value.as_string());
        case Value::Kind::array:
            begin_array();
            for (const auto& item : *value.as_array())
                this->value(item);
            return end_array();
        case Value::Kind::object:
            begin_object();
            for (const auto& member : *value.as_object()) {
                key(member.key);
                this->value(member.value);
            }
            return end_object();
    }
}

namespace {

constexpr std::string_view line_separator = "\xE2\x80\xA8";       // U+2028
constexpr std::string_view paragraph_separator = "\xE2\x80\xA9";  // U+2029

/// Whether a byte may need an escape: E2 begins the two separators, and other characters.
constexpr bool is_special(unsigned char byte) {
    return byte < 0x20 || byte == '"' || byte == '\\' || byte == 0xE2;
}

/// Where the next special byte stands, or the end. Looks at eight bytes at a time, by the "has a
/// zero byte" trick (Warren, Hacker's Delight, 6-1).
std::size_t find_special(std::string_view text, std::size_t at) {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t highs = ones * 0x80;
    const auto below = [](std::uint64_t word, std::uint64_t bound) {
        return (word - ones * bound) & ~word & highs;
    };
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + at, sizeof word);
        const auto special = below(word, 0x20) | below(word ^ (ones * '"'), 1)
                             | below(word ^ (ones * '\\'), 1) | below(word ^ (ones * 0xE2), 1);
        if (special != 0) break;
    }
    while (at < text.size() && !is_special(static_cast<unsigned char>(text[at])))
        ++at;
    return at;
}

/// Whether the special byte at `at` begins a character that stands for itself.
bool is_harmless(std::string_view text, std::size_t at) {
    if (text[at] != '\xE2') return false;
    const auto character = text.substr(at, 3);
    return character != line_separator && character != paragraph_separator;
}

/// Where the next character that must be escaped stands, or the end.
std::size_t find_escaped(std::string_view text, std::size_t at) {
    at = find_special(text, at);
    while (at < text.size() && is_harmless(text, at))
        at = find_special(text, at + 1);
    return at;
}

/// Appends the character at `at` in its escaped form, and returns the size of the plain one.
std::size_t append_escaped(std::string& out, std::string_view text, std::size_t at) {
    constexpr std::string_view hex = "0123456789abcdef";
    constexpr std::string_view names = "\"\\\b\f\n\r\t";
    constexpr std::string_view escapes = "\"\\bfnrt";
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == 0xE2) {
        out += text.substr(at, 3) == line_separator ? "\\u2028" : "\\u2029";
        return 3;
    }
    out += '\\';
    const auto which = names.find(text[at]);
    if (which != std::string_view::npos) {
        out += escapes[which];
    } else {
        out += "u00";
        out += hex[byte >> 4];
        out += hex[byte & 15];
    }
    return 1;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t at = 0;
    while (true) {
        const auto escaped = find_escaped(text, at);
        out += text.substr(at, escaped - at);
        if (escaped == text.size()) break;
        at = escaped + append_escaped(out, text, escaped);
    }
    out += '"';
}

std::string to_json(const Value& value) {
    std::string out;
    Writer(out).value(value);
    return out;
}

}  // namespace chatx::proto::json
