#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Text for the eyes of operators: in logs, in error messages and in printed configuration.
namespace chatx::node {

/// Appends `text` so that it can neither end a line nor steer a terminal, and fits between the
/// double quotes of JSON and of TOML: quotes, backslashes, control characters (C0, DEL, C1), line
/// separators (U+2028, U+2029), marks that change the direction of text, and U+FEFF are escaped; a
/// byte that is not UTF-8 becomes `\ufffd`.
void append_escaped(std::string& out, std::string_view text);

/// The text between double quotes, escaped as above.
[[nodiscard]] std::string quoted(std::string_view text);

/// The first `size_max` bytes, cut between characters, and `...` where something was cut.
[[nodiscard]] std::string clipped(std::string_view text, std::size_t size_max);

}  // namespace chatx::node
