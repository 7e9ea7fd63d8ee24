#include "node/gateway/poll_body.h"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace chatx::node {

namespace {

constexpr std::string_view lines_type = "application/x-ndjson";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Whether a media type, whatever its parameters, is the one of lines (RFC 9110, 8.3.1).
bool is_lines(std::string_view content_type) {
    content_type = content_type.substr(0, content_type.find(';'));
    while (content_type.ends_with(' ') || content_type.ends_with('\t'))
        content_type.remove_suffix(1);
    return std::ranges::equal(
        content_type, lines_type, [](char a, char b) { return lower(a) == b; });
}

std::string_view take_line(std::string_view& rest) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes(text.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    const int failed = sodium_base642bin(
        reinterpret_cast<unsigned char*>(bytes.data()),
        bytes.size(),
        text.data(),
        text.size(),
        nullptr,
        &size,
        &end,
        sodium_base64_VARIANT_ORIGINAL);
    if (failed != 0 || end != text.data() + text.size()) return std::nullopt;
    bytes.resize(size);
    return bytes;
}

}  // namespace

std::variant<std::vector<PollMessage>, PollBodyRefused> read_poll_body(
    std::string_view content_type, std::string_view body) {
    if (!is_lines(content_type)) return std::vector<PollMessage>{{std::string(body), false}};
    std::vector<PollMessage> messages;
    while (!body.empty() && messages.size() < poll_frames_max) {
        const std::string_view line = take_line(body);
        if (line.empty()) continue;
        if (line.starts_with('[')) {
            messages.push_back({std::string(line), false});
        } else if (auto bytes = from_base64(line)) {
            messages.push_back({*std::move(bytes), true});
        } else {
            return PollBodyRefused{"a line is neither a text frame nor base64"};
        }
    }
    return messages;
}

}  // namespace chatx::node
