#include "proto/utf8.h"

#include <simdjson.h>

namespace chatx::proto {

bool is_utf8(std::string_view text) {
    return simdjson::validate_utf8(text);
}

std::optional<std::size_t> find_control(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7F) return i;
        const bool is_c1 =
            byte == 0xC2 && i + 1 < text.size()
            && static_cast<unsigned char>(text[i + 1]) < 0xA0;  // Two bytes: C2 80 to C2 9F.
        if (is_c1) return i;
    }
    return std::nullopt;
}

std::string_view utf8_prefix(std::string_view text, std::size_t size_max) {
    if (text.size() <= size_max) return text;
    std::size_t size = size_max;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
        --size;
    return text.substr(0, size);
}

}  // namespace chatx::proto
