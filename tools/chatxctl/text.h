#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Text for a terminal: what others wrote cannot steer it, and things line up.
namespace chatx::tools {

/// A text on one line: control characters (also ESC and the C1 set), line separators and marks that
/// change the direction of text show as escapes such as `\n` and `\u001b`, a backslash as `\\`.
std::string shown(std::string_view text);

/// How many columns of a terminal a shown text takes: none for combining characters, two for wide
/// ones.
std::size_t columns_of(std::string_view shown);

/// The text, cut between characters and ended by `…` when it takes more columns.
std::string clipped(std::string_view shown, std::size_t columns);

/// The text with spaces up to so many columns, on the right or on the left of it.
std::string padded(std::string text, std::size_t columns, bool to_the_right = false);

/// Words on lines of at most `columns`, each behind `indent` spaces. Ends with a line end.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns);

/// `2026-03-01 12:00:00`, the local time of milliseconds since 1970.
std::string local_time(std::int64_t milliseconds);

/// `3 d 4 h`, `12 min`, `7 s`.
std::string span_text(std::uint64_t seconds);

}  // namespace chatx::tools
