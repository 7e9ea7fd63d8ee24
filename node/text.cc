#include "node/text.h"

#include "proto/utf8.h"

#include <cstdint>

namespace chatx::node {

namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t size = 1;  // Bytes.
    bool valid = false;
};

std::size_t sequence_size(unsigned char lead) {
    if (lead >= 0xC2 && lead < 0xE0) return 2;
    if (lead >= 0xE0 && lead < 0xF0) return 3;
    if (lead >= 0xF0 && lead < 0xF5) return 4;
    return 0;
}

/// The first character of a text that is not empty. What is not UTF-8 is taken byte by byte.
CodePoint first_code_point(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t size = sequence_size(lead);
    if (size == 0 || size > text.size() || !proto::is_utf8(text.substr(0, size))) return {};

    std::uint32_t value = lead & (0xFFU >> (size + 1));
    for (const char byte : text.substr(1, size - 1))
        value = (value << 6) | (static_cast<unsigned char>(byte) & 0x3FU);
    return {value, size, true};
}

bool is_treacherous(std::uint32_t value) {
    return value < 0x20 || (value >= 0x7F && value < 0xA0) || value == 0x061C
           || (value >= 0x200E && value <= 0x200F) || (value >= 0x2028 && value <= 0x202E)
           || (value >= 0x2066 && value <= 0x2069) || value == 0xFEFF;
}

void append_as_number(std::string& out, std::uint32_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4)
        out += digits[(value >> shift) & 0xF];
}

void append_escape(std::string& out, std::uint32_t value) {
    switch (value) {
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            append_as_number(out, value);
    }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        if (!point.valid) {
            append_as_number(out, 0xFFFD);
        } else if (is_treacherous(point.value)) {
            append_escape(out, point.value);
        } else {
            if (point.value == '"' || point.value == '\\') out += '\\';
            out += text.substr(0, point.size);
        }
        text.remove_prefix(point.size);
    }
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    append_escaped(out, text);
    out += '"';
    return out;
}

std::string clipped(std::string_view text, std::size_t size_max) {
    if (text.size() <= size_max) return std::string(text);
    return std::string(proto::utf8_prefix(text, size_max)) + "...";
}

}  // namespace chatx::node
