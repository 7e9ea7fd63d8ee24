#include "node/config_file.h"

#include "node/text.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

namespace chatx::node {

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

std::string place_at(const std::string& path, const toml::source_region& region) {
    return escaped(path) + ":" + std::to_string(region.begin.line);
}

std::optional<std::vector<std::string>> texts_of(const toml::array& array) {
    std::vector<std::string> texts;
    for (const toml::node& item : array) {
        const auto text = item.value_exact<std::string>();
        if (!text) return std::nullopt;
        texts.push_back(*text);
    }
    return texts;
}

ConfigValue value_of(const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) return *text;
    if (const auto number = node.value_exact<std::int64_t>()) return *number;
    if (const auto on = node.value_exact<bool>()) return *on;
    if (const toml::array* array = node.as_array()) {
        if (auto texts = texts_of(*array)) return *std::move(texts);
    }
    return StrangeValue{};
}

std::string shown(const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) return shown_text(*text);
    if (node.is_table()) return "a section";
    std::ostringstream out;
    node.visit([&](const auto& value) { out << value; });
    return clipped(escaped(out.str()), 60);
}

bool is_section(std::string_view name) {
    return std::ranges::find(config_section_names(), name) != config_section_names().end();
}

/// An assignment and its line: a table of toml++ is in order of name.
struct Found {
    std::uint32_t line;
    ConfigAssignment assignment;
};

void read_table(
    const std::string& path,
    const std::string& prefix,
    const toml::table& table,
    std::vector<Found>& found) {
    for (const auto& [key, node] : table) {
        const std::string name = prefix + std::string(key.str());
        if (prefix.empty() && node.is_table() && is_section(name)) {
            read_table(path, name + ".", *node.as_table(), found);
        } else {
            Origin origin{Origin::Kind::file, place_at(path, node.source())};
            found.push_back(
                {node.source().begin.line, {name, value_of(node), std::move(origin), shown(node)}});
        }
    }
}

}  // namespace

bool read_toml(
    const std::string& path,
    std::string_view text,
    std::vector<ConfigAssignment>& assignments,
    ConfigProblems& problems) {
    toml::table table;
    try {
        table = toml::parse(text, path);
    } catch (const toml::parse_error& error) {
        problems.add(place_at(path, error.source()), escaped(error.description()));
        return false;
    }
    std::vector<Found> found;
    read_table(path, "", table, found);
    std::ranges::stable_sort(found, {}, &Found::line);
    for (Found& one : found)
        assignments.push_back(std::move(one.assignment));
    return true;
}

}  // namespace chatx::node
