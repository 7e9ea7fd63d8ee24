#include "node/text.h"

#include "proto/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace chatx::node {

namespace {

constexpr std::size_t word_size_max =
    64;  // Of a word that is compared with names; longer ones are near nothing.

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

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
std::size_t distance(std::string_view from, std::string_view to) {
    std::array<std::array<std::size_t, word_size_max + 1>, word_size_max + 1> steps{};
    for (std::size_t i = 0; i <= from.size(); ++i)
        steps[i][0] = i;
    for (std::size_t j = 0; j <= to.size(); ++j)
        steps[0][j] = j;

    for (std::size_t i = 1; i <= from.size(); ++i) {
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t replaced = steps[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
            steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, replaced});
            const bool swapped =
                i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if (swapped) steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
        }
    }
    return steps[from.size()][to.size()];
}

std::string_view last_part(std::string_view name) {
    return name.substr(name.rfind('.') + 1);
}

template <class Condition>
std::optional<std::string_view> only_one(
    std::span<const std::string_view> names, const Condition& condition) {
    const auto first = std::ranges::find_if(names, condition);
    if (first == names.end()) return std::nullopt;
    if (std::find_if(first + 1, names.end(), condition) != names.end()) return std::nullopt;
    return *first;
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

std::optional<std::string_view> nearest(
    std::string_view word, std::span<const std::string_view> names) {
    if (word.empty() || word.size() > word_size_max) return std::nullopt;
    const auto same_end = [&](std::string_view name) { return last_part(name) == last_part(word); };
    if (const auto name = only_one(names, same_end)) return name;

    std::size_t least = std::min<std::size_t>(3, 1 + word.size() / 5) + 1;
    std::optional<std::string_view> best;
    for (const std::string_view name : names) {
        if (name.size() > word_size_max) continue;
        const std::size_t steps = distance(word, name);
        if (steps >= least) continue;
        least = steps;
        best = name;
    }
    if (best) return best;
    return only_one(names, [&](std::string_view name) { return name.starts_with(word); });
}

}  // namespace chatx::node
