#include "node/hooks/word_list.h"

#include "proto/utf8.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

namespace chatx::node {

namespace {

constexpr std::size_t file_bytes_max = WordList::lines_max * (WordList::line_bytes_max + 1);

struct Range {
    char32_t first;
    char32_t last;
};

/// What is no letter beyond ASCII, by Unicode block (Unicode 15, Blocks.txt); Latin-1 signs one by
/// one.
constexpr std::array signs{
    Range{0x0080, 0x00A9},
    Range{0x00AB, 0x00B4},
    Range{0x00B6, 0x00B9},
    Range{0x00BB, 0x00BF},
    Range{0x00D7, 0x00D7},
    Range{0x00F7, 0x00F7},
    Range{0x2000, 0x2BFF},     // General punctuation to miscellaneous symbols and arrows.
    Range{0x2E00, 0x2E7F},     // Supplemental punctuation.
    Range{0x2FF0, 0x303F},     // Description characters, CJK symbols and punctuation.
    Range{0xE000, 0xF8FF},     // Private use.
    Range{0xFE00, 0xFE6F},     // Variation selectors to small form variants.
    Range{0xFF00, 0xFF0F},     // Full-width punctuation.
    Range{0xFFE0, 0xFFFF},     // Full-width signs, specials.
    Range{0x1F000, 0x1FAFF},   // Tiles, cards, emoji, arrows.
    Range{0xE0000, 0x10FFFF},  // Tags, selectors, private use.
};

bool is_letter(char32_t point) {
    if (point < 0x80) {
        return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z')
               || (point >= '0' && point <= '9') || point == '_';
    }
    return std::none_of(signs.begin(), signs.end(), [&](const Range& range) {
        return point >= range.first && point <= range.last;
    });
}

/// Takes the first code point off a well-formed text. Of any other text, something, and always at
/// least a byte.
char32_t take_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t point = size == 1 ? lead : lead & (0xFFU >> (size + 1));
    const auto end = std::min(size, text.size());
    for (std::size_t i = 1; i < end; ++i)
        point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
    text.remove_prefix(end);
    return point;
}

/// Takes the next word off a text; empty at its end.
std::string_view take_word(std::string_view& text) {
    const auto* first = text.data();
    std::size_t size = 0;
    while (!text.empty()) {
        const auto before = text;
        if (is_letter(take_point(text))) {
            if (size == 0) first = before.data();
            size = static_cast<std::size_t>(text.data() - first);
        } else if (size > 0) {
            break;
        }
    }
    return {first, size};
}

/// The form in which words are compared. The one place to change for a wider notion of "the same
/// word".
void normalise(std::string_view word, std::string& out) {
    out.assign(word);
    for (char& letter : out) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
}

std::string_view trim(std::string_view line) {
    constexpr std::string_view space = " \t\r";
    const auto first = line.find_first_not_of(space);
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(space) - first + 1);
}

Error refusal(std::string detail) {
    return {Reason::adapter_error, std::move(detail), std::nullopt};
}

}  // namespace

Result<std::unique_ptr<WordList>> WordList::load(const std::filesystem::path& path) {
    std::error_code failed;
    if (std::filesystem::is_directory(path, failed))
        return refusal(path.string() + ": a directory, not a word list");
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return refusal(
            path.string()
            + ": cannot be read: " + std::error_code(errno, std::generic_category()).message());
    }
    std::string text(file_bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return refusal(path.string() + ": reading it failed");
    text.resize(static_cast<std::size_t>(file.gcount()));
    return parse(text, path.string());
}

Result<std::unique_ptr<WordList>> WordList::parse(std::string_view text, std::string_view name) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.substr(0, byte_order_mark.size()) == byte_order_mark)
        text.remove_prefix(byte_order_mark.size());
    Words words;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto place = std::string(name) + ":" + std::to_string(number) + ": ";
        if (number > lines_max)
            return refusal(place + "more than " + std::to_string(lines_max) + " lines");
        const auto line = text.substr(0, text.find('\n'));
        if (auto added = add_line(line, words); !added)
            return refusal(place + added.error().detail);
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return std::unique_ptr<WordList>(new WordList(std::move(words)));
}

WordList::WordList(Words words) : words_(std::move(words)) {}

Verdict WordList::check(const Draft& draft) {
    std::string_view rest = draft.content;
    std::string word;
    for (auto found = take_word(rest); !found.empty(); found = take_word(rest)) {
        normalise(found, word);
        if (words_.contains(word))
            return Verdict::reject({Reason::blocked, "contains a blocked word", std::nullopt});
    }
    return Verdict::pass();
}

Result<Done> WordList::add_line(std::string_view line, Words& words) {
    if (line.size() > line_bytes_max)
        return refusal("longer than " + std::to_string(line_bytes_max) + " bytes");
    if (!proto::is_utf8(line)) return refusal("not UTF-8");
    line = trim(line);
    if (line.empty() || line.front() == '#') return Done{};
    auto rest = line;
    const auto word = take_word(rest);
    if (word.size() != line.size())
        return refusal("not one word: list one word a line, without signs or spaces");
    std::string normal;
    normalise(word, normal);
    words.insert(std::move(normal));
    return Done{};
}

}  // namespace chatx::node
