#include "tools/chatxctl/text.h"

#include "node/text.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <ctime>
#include <cwchar>

namespace chatx::tools {

namespace {

/// Takes the first character off a text of well-formed UTF-8.
std::string_view take_character(std::string_view& text) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U)
        ++size;
    const std::string_view character = text.substr(0, size);
    text.remove_prefix(size);
    return character;
}

wchar_t code_point(std::string_view character) {
    const auto lead = static_cast<unsigned char>(character[0]);
    std::uint32_t value = character.size() == 1 ? lead : lead & (0xFFU >> (character.size() + 1));
    for (const char byte : character.substr(1))
        value = (value << 6) | (static_cast<unsigned char>(byte) & 0x3FU);
    return static_cast<wchar_t>(value);
}

/// The C library knows the widths, once it is told that characters are Unicode.
std::size_t width_of(std::string_view character) {
    static const locale_t unicode = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (unicode == nullptr || character.size() == 1) return 1;
    const locale_t before = ::uselocale(unicode);
    const int width = ::wcwidth(code_point(character));
    ::uselocale(before);
    return width < 0 ? 1 : static_cast<std::size_t>(width);
}

}  // namespace

std::string shown(std::string_view text) {
    std::string escaped;
    node::append_escaped(escaped, text);
    std::string result;
    for (std::size_t i = 0; i < escaped.size(); ++i) {
        const bool pair = escaped[i] == '\\' && i + 1 < escaped.size();
        if (pair && escaped[i + 1] != '"') result += escaped[i];
        result += escaped[pair ? ++i : i];  // Quotes are no danger here.
    }
    return result;
}

std::size_t columns_of(std::string_view shown) {
    std::size_t columns = 0;
    while (!shown.empty())
        columns += width_of(take_character(shown));
    return columns;
}

std::string clipped(std::string_view shown, std::size_t columns) {
    if (columns_of(shown) <= columns) return std::string(shown);
    std::string result;
    std::size_t used = 1;  // The mark at the end.
    while (!shown.empty()) {
        const std::string_view character = take_character(shown);
        used += width_of(character);
        if (used > columns) break;
        result += character;
    }
    return result + "…";
}

std::string padded(std::string text, std::size_t columns, bool to_the_right) {
    const std::size_t used = columns_of(text);
    if (used >= columns) return text;
    const std::string spaces(columns - used, ' ');
    return to_the_right ? spaces + text : text + spaces;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
    std::string lines;
    std::string line;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (!line.empty() && indent + columns_of(line) + 1 + columns_of(word) > columns) {
            lines += std::string(indent, ' ') + line + "\n";
            line.clear();
        }
        if (!line.empty()) line += ' ';
        line += word;
    }
    return lines + std::string(indent, ' ') + line + "\n";
}

std::string local_time(std::int64_t milliseconds) {
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    std::array<char, 32> text{};
    if (::localtime_r(&seconds, &parts) == nullptr) return std::to_string(milliseconds);
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return text.data();
}

std::string span_text(std::uint64_t seconds) {
    constexpr std::uint64_t minute = 60;
    constexpr std::uint64_t hour = 60 * minute;
    constexpr std::uint64_t day = 24 * hour;
    if (seconds >= day)
        return std::to_string(seconds / day) + " d " + std::to_string(seconds % day / hour) + " h";
    if (seconds >= hour)
        return std::to_string(seconds / hour) + " h " + std::to_string(seconds % hour / minute)
               + " min";
    if (seconds >= minute) return std::to_string(seconds / minute) + " min";
    return std::to_string(seconds) + " s";
}

}  // namespace chatx::tools
