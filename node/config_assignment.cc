#include "node/config_assignment.h"

#include "node/config_kinds.h"
#include "node/text.h"
#include "proto/nearest.h"

#include <algorithm>
#include <utility>

namespace chatx::node {

namespace {

constexpr std::size_t shown_size_max = 60;  // Bytes of a value in a message.

std::string suggestion(const ConfigAssignment& assignment) {
    std::vector<std::string_view> names = config_key_names();
    names.insert(names.end(), config_section_names().begin(), config_section_names().end());
    const auto name = proto::nearest(assignment.key, names);
    if (!name) return "; chatxd --print-config lists all keys";
    if (assignment.origin.kind == Origin::Kind::environment)
        return "; did you mean " + environment_name(*name) + "?";
    return "; did you mean " + quoted(*name) + "?";
}

std::string keys_of_section(std::string_view section) {
    std::string names;
    for (const std::string_view name : config_key_names()) {
        if (section_of(name) == section) names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return names;
}

std::string why_unknown(const ConfigAssignment& assignment) {
    if (std::ranges::find(config_section_names(), assignment.key) != config_section_names().end())
        return assignment.key + " is a section, not a key; it has "
               + keys_of_section(assignment.key);
    if (assignment.origin.kind == Origin::Kind::environment)
        return "no key has this variable" + suggestion(assignment);
    return "unknown key " + shown_text(assignment.key) + suggestion(assignment);
}

}  // namespace

ConfigAssignment assign_plain(std::string key, std::string text, Origin origin) {
    const ConfigValue value = PlainText{std::move(text)};
    const std::string& plain = std::get<PlainText>(value).text;
    std::string shown = read_whole(value) ? plain : shown_text(plain);
    return {std::move(key), value, std::move(origin), std::move(shown)};
}

std::string shown_text(std::string_view text) {
    return quoted(clipped(text, shown_size_max));
}

void ConfigProblems::add(std::string_view place, std::string_view text, std::string_view key) {
    if (!key.empty()) keys_.emplace(key);
    ++count_;
    if (count_ > config_problems_max) return;
    lines_.append(place).append(": ").append(text).append("\n");
}

void ConfigProblems::add_for(
    std::string_view key, const LoadedConfig& loaded, std::string_view text) {
    const auto origin = loaded.origins.find(key);
    const std::string value = clipped(find_config_key(key)->print(loaded.config), shown_size_max);
    add(place_of(origin == loaded.origins.end() ? Origin() : origin->second),
        std::string(key) + " = " + value + ": " + std::string(text),
        key);
}

bool ConfigProblems::spare(std::initializer_list<std::string_view> keys) const {
    return std::ranges::none_of(keys, [this](std::string_view key) { return keys_.contains(key); });
}

std::string ConfigProblems::text() const {
    if (count_ <= config_problems_max) return lines_;
    return lines_ + "and " + std::to_string(count_ - config_problems_max) + " more\n";
}

std::string place_of(const Origin& origin) {
    switch (origin.kind) {
        case Origin::Kind::standard:
            return "default";
        case Origin::Kind::environment:
            return "environment " + origin.where;
        case Origin::Kind::file:
        case Origin::Kind::flag:
            break;
    }
    return origin.where;
}

void apply(
    std::span<const ConfigAssignment> assignments, LoadedConfig& loaded, ConfigProblems& problems) {
    for (const ConfigAssignment& assignment : assignments) {
        const std::string place = place_of(assignment.origin);
        const ConfigKey* key = find_config_key(assignment.key);
        if (key == nullptr) {
            problems.add(place, why_unknown(assignment));
        } else if (key->set(loaded.config, assignment.value)) {
            loaded.origins.insert_or_assign(assignment.key, assignment.origin);
        } else {
            const std::string what = assignment.key + " = " + assignment.shown;
            problems.add(place, what + ": must be " + key->allowed, assignment.key);
        }
    }
}

}  // namespace chatx::node
