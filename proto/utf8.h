#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace chatx::proto {

/// Whether a text is well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, surrogates or
/// values above U+10FFFF). Some 30 ns a KiB of ASCII.
[[nodiscard]] bool is_utf8(std::string_view text);

/// Where the first control character of a UTF-8 text stands: C0 (U+0000 to U+001F), DEL, or C1
/// (U+0080 to U+009F).
[[nodiscard]] std::optional<std::size_t> find_control(std::string_view text);

/// The longest beginning of a UTF-8 text that has at most `size_max` bytes and cuts no character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t size_max);

}  // namespace chatx::proto
