#pragma once

#include "node/config_keys.h"
#include "node/text.h"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// The kinds of keys there are: whole numbers, switches, texts, lists of texts, choices and
/// endpoints. Each function makes the declaration of one key; `path` leads from the Config to its
/// member. For config_keys.cc alone.
namespace chatx::node {

/// Most items in a list.
inline constexpr std::size_t config_list_size_max = 64;

/// Longest path of a Unix socket, in bytes: what fits into `sockaddr_un`.
inline constexpr std::size_t socket_path_size_max = 107;

/// The value read as what a key wants; none when it is something else. Texts have no control
/// characters, lists at most `config_list_size_max` items.
std::optional<std::int64_t> read_whole(const ConfigValue& value);
std::optional<bool> read_switch(const ConfigValue& value);
std::optional<std::string> read_text(const ConfigValue& value);
std::optional<std::vector<std::string>> read_list(const ConfigValue& value);

/// A list as TOML.
std::string print_list(const std::vector<std::string>& items);

/// What a text may be, for programs and for people.
struct TextRule {
    bool (*check)(std::string_view);
    std::string allowed;
};

bool is_anything(std::string_view text);
bool is_path(std::string_view text);
bool is_socket_path_or_empty(std::string_view text);
bool is_node_name(std::string_view text);
bool is_node_name_or_empty(std::string_view text);
bool is_middleware_name(std::string_view text);
bool is_web_origin(std::string_view text);  // As browsers send it: scheme, host and perhaps a port.
bool is_seed(std::string_view text);        // HOST:PORT.

template <auto... path>
auto& at(auto& config) {
    return (config.*....*path);
}

struct Bounds {
    std::int64_t min;
    std::int64_t max;
};

template <auto... path>
ConfigKey whole(std::string_view name, Bounds bounds, std::string_view meaning) {
    using T = std::remove_cvref_t<decltype(at<path...>(std::declval<Config&>()))>;
    return {
        name,
        "a whole number from " + std::to_string(bounds.min) + " to " + std::to_string(bounds.max),
        meaning,
        [bounds](Config& config, const ConfigValue& value) {
            const auto number = read_whole(value);
            if (!number || *number < bounds.min || *number > bounds.max) return false;
            at<path...>(config) = static_cast<T>(*number);
            return true;
        },
        [](const Config& config) {
            if constexpr (std::integral<T>) {
                return std::to_string(at<path...>(config));
            } else {
                return std::to_string(at<path...>(config).count());
            }
        }};
}

template <auto... path>
ConfigKey on_or_off(std::string_view name, std::string_view meaning) {
    return {
        name,
        "true or false",
        meaning,
        [](Config& config, const ConfigValue& value) {
            const auto on = read_switch(value);
            if (on) at<path...>(config) = *on;
            return on.has_value();
        },
        [](const Config& config) { return std::string(at<path...>(config) ? "true" : "false"); }};
}

template <auto... path>
ConfigKey text(std::string_view name, const TextRule& rule, std::string_view meaning) {
    return {
        name,
        rule.allowed,
        meaning,
        [check = rule.check](Config& config, const ConfigValue& value) {
            auto text = read_text(value);
            if (!text || !check(*text)) return false;
            at<path...>(config) = *std::move(text);
            return true;
        },
        [](const Config& config) { return quoted(at<path...>(config)); }};
}

template <auto... path>
ConfigKey list(std::string_view name, const TextRule& rule, std::string_view meaning) {
    return {
        name,
        rule.allowed + ", at most " + std::to_string(config_list_size_max),
        meaning,
        [check = rule.check](Config& config, const ConfigValue& value) {
            auto items = read_list(value);
            if (!items || !std::ranges::all_of(*items, check)) return false;
            at<path...>(config) = *std::move(items);
            return true;
        },
        [](const Config& config) { return print_list(at<path...>(config)); }};
}

template <class T>
struct Choice {
    std::string_view text;
    T value;
};

template <auto... path, class T, std::size_t n>
ConfigKey choice(std::string_view name, const Choice<T> (&choices)[n], std::string_view meaning) {
    const std::vector<Choice<T>> all(std::begin(choices), std::end(choices));
    std::string allowed;
    for (std::size_t i = 0; i < n; ++i)
        allowed += (i == 0 ? "" : i + 1 == n ? " or " : ", ") + quoted(all[i].text);
    return {
        name,
        allowed,
        meaning,
        [all](Config& config, const ConfigValue& value) {
            const auto text = read_text(value);
            const auto found = std::ranges::find(all, text.value_or(""), &Choice<T>::text);
            if (found == all.end()) return false;
            at<path...>(config) = found->value;
            return true;
        },
        [all](const Config& config) {
            return quoted(std::ranges::find(all, at<path...>(config), &Choice<T>::value)->text);
        }};
}

inline constexpr std::string_view address_and_port =
    "an IP address and a port, such as \"127.0.0.1:4000\" or \"[::1]:4000\"";

template <auto... path>
ConfigKey endpoint(std::string_view name, std::string_view meaning) {
    return {
        name,
        std::string(address_and_port),
        meaning,
        [](Config& config, const ConfigValue& value) {
            const auto endpoint = parse_endpoint(read_text(value).value_or(""));
            if (endpoint) at<path...>(config) = *endpoint;
            return endpoint.has_value();
        },
        [](const Config& config) { return quoted(to_text(at<path...>(config))); }};
}

template <auto... path>
ConfigKey endpoint_or_none(std::string_view name, std::string_view meaning) {
    return {
        name,
        std::string(address_and_port) + ", or empty",
        meaning,
        [](Config& config, const ConfigValue& value) {
            const auto text = read_text(value);
            if (!text) return false;
            const auto endpoint = parse_endpoint(*text);
            if (!endpoint && !text->empty()) return false;
            at<path...>(config) = endpoint;
            return true;
        },
        [](const Config& config) {
            const auto& endpoint = at<path...>(config);
            return endpoint ? quoted(to_text(*endpoint)) : std::string("\"\"");
        }};
}

}  // namespace chatx::node
