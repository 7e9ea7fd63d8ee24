#pragma once

#include <chatx/adapters.h>
#include <chatx/result.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

namespace chatx::node {

/// Moderation by a list: rejects a message with `blocked` when one of its words is on the list.
///
/// A word is a longest stretch of ASCII letters, digits and underscores, and of letters beyond
/// ASCII (whole Unicode blocks count as letters, or as signs such as punctuation and emoji, which
/// end a word). Words compare without regard to the case of ASCII letters. Scripts that write
/// without spaces are one word from sign to sign.
///
/// Immutable once made: any thread may call it.
class WordList final : public Moderation {
public:
    static constexpr std::size_t lines_max = 100'000;
    static constexpr std::size_t line_bytes_max = 256;

    /// Reads a file: UTF-8, one word a line; empty lines and lines that begin with `#` say nothing,
    /// and neither does space around a word. The error is one line that names the file, the line
    /// and what is wrong with it.
    static Result<std::unique_ptr<WordList>> load(const std::filesystem::path& path);

    /// The same from memory; `name` stands for the file in errors.
    static Result<std::unique_ptr<WordList>> parse(std::string_view text, std::string_view name);

    Verdict check(const Draft& draft) override;

    /// How many different words are on the list.
    [[nodiscard]] std::size_t size() const { return words_.size(); }

private:
    struct Hash {
        using is_transparent = void;

        std::size_t operator()(std::string_view word) const {
            return std::hash<std::string_view>()(word);
        }
    };

    using Words = std::unordered_set<std::string, Hash, std::equal_to<>>;

    explicit WordList(Words words);
    static Result<Done> add_line(std::string_view line, Words& words);

    const Words words_;
};

}  // namespace chatx::node
