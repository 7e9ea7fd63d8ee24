#include "node/config_kinds.h"

#include "proto/utf8.h"

#include <charconv>

namespace chatx::node {

namespace {

constexpr std::string_view lower_case_and_digits = "abcdefghijklmnopqrstuvwxyz0123456789";

bool is_printable(std::string_view text) {
    return proto::is_utf8(text) && !proto::find_control(text);
}

bool is_made_of(std::string_view text, std::string_view further) {
    return std::ranges::all_of(text, [&](char character) {
        return lower_case_and_digits.find(character) != std::string_view::npos
               || further.find(character) != std::string_view::npos;
    });
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return text;
}

std::vector<std::string> split_at_commas(std::string_view text) {
    std::vector<std::string> items;
    if (trimmed(text).empty()) return items;
    while (true) {
        const std::size_t comma = text.find(',');
        items.emplace_back(trimmed(text.substr(0, comma)));
        if (comma == std::string_view::npos) return items;
        text.remove_prefix(comma + 1);
    }
}

std::optional<std::vector<std::string>> raw_list(const ConfigValue& value) {
    if (const auto* plain = std::get_if<PlainText>(&value)) return split_at_commas(plain->text);
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
    return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> read_whole(const ConfigValue& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    const auto* plain = std::get_if<PlainText>(&value);
    if (plain == nullptr) return std::nullopt;

    std::int64_t number = 0;
    const char* end = plain->text.data() + plain->text.size();
    const auto [stop, error] = std::from_chars(plain->text.data(), end, number);
    if (error != std::errc() || stop != end) return std::nullopt;
    return number;
}

std::optional<bool> read_switch(const ConfigValue& value) {
    if (const auto* on = std::get_if<bool>(&value)) return *on;
    const auto* plain = std::get_if<PlainText>(&value);
    if (plain != nullptr && plain->text == "true") return true;
    if (plain != nullptr && plain->text == "false") return false;
    return std::nullopt;
}

std::optional<std::string> read_text(const ConfigValue& value) {
    const std::string* text = std::get_if<std::string>(&value);
    if (const auto* plain = std::get_if<PlainText>(&value)) text = &plain->text;
    if (text == nullptr || !is_printable(*text)) return std::nullopt;
    return *text;
}

std::optional<std::vector<std::string>> read_list(const ConfigValue& value) {
    auto items = raw_list(value);
    if (!items || items->size() > config_list_size_max) return std::nullopt;
    if (!std::ranges::all_of(*items, is_printable)) return std::nullopt;
    return items;
}

std::string print_list(const std::vector<std::string>& items) {
    std::string text = "[";
    for (const std::string& item : items)
        text += (text.size() > 1 ? ", " : "") + quoted(item);
    return text + "]";
}

bool is_anything(std::string_view /*text*/) {
    return true;
}

bool is_path(std::string_view text) {
    return !text.empty();
}

bool is_socket_path_or_empty(std::string_view text) {
    return text.size() <= socket_path_size_max;
}

bool is_node_name(std::string_view text) {
    return !text.empty() && is_node_name_or_empty(text);
}

bool is_node_name_or_empty(std::string_view text) {
    return text.size() <= 63 && is_made_of(text, "-_.");
}

bool is_middleware_name(std::string_view text) {
    return !text.empty() && text.size() <= 63 && is_made_of(text, "_");
}

bool is_web_origin(std::string_view text) {
    const std::size_t scheme = text.starts_with("https://")  ? 8
                               : text.starts_with("http://") ? 7
                                                             : 0;
    const std::string_view host = text.substr(scheme);
    return scheme != 0 && !host.empty() && host.size() <= 255 && is_made_of(host, "-.:[]");
}

bool is_seed(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const auto port = read_whole(PlainText{std::string(text.substr(colon + 1))});
    return port && *port > 0 && *port < 65'536;
}

}  // namespace chatx::node
