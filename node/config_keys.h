#pragma once

#include "node/config.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::node {

/// A value that was written without quotes or types: in the environment or behind a flag. The key
/// says how to read it.
struct PlainText {
    std::string text;
};

/// A value of a kind that no key has, such as a date.
struct StrangeValue {};

using ConfigValue = std::
    variant<bool, std::int64_t, std::string, std::vector<std::string>, PlainText, StrangeValue>;

/// One key of the configuration: declared once, used by the file, the environment, flags,
/// `--print-config` and the documentation alike.
struct ConfigKey {
    std::string_view name;     // `rate_limit.burst`; a dot ends the name of a section.
    std::string allowed;       // Ends a sentence that begins with `must be`.
    std::string_view meaning;  // One line.

    /// Stores the value. False when it is not allowed; then nothing changed.
    std::function<bool(Config&, const ConfigValue&)> set;

    /// The value as TOML.
    std::function<std::string(const Config&)> print;
};

/// Least value of `limits.outbound_bytes`: room for a page of history and for what comes with it.
inline constexpr std::int64_t outbound_bytes_min = std::int64_t{512} * 1024;

/// All keys, those without a section first, sections together. Static data, any thread.
const std::vector<ConfigKey>& config_keys();

/// The names of all keys in the same order, and of all sections.
const std::vector<std::string_view>& config_key_names();
const std::vector<std::string_view>& config_section_names();

/// The key of that name, or null.
const ConfigKey* find_config_key(std::string_view name);

/// The name before the dot, empty for a key without a section; and the name behind it.
[[nodiscard]] std::string_view section_of(std::string_view name);
[[nodiscard]] std::string_view name_in_section(std::string_view name);

/// The name of the environment variable of a key, such as `CHATX_RATE_LIMIT__BURST`, and the key of
/// a variable's name.
inline constexpr std::string_view environment_prefix = "CHATX_";
[[nodiscard]] std::string environment_name(std::string_view key);
[[nodiscard]] std::string key_of_environment_name(std::string_view variable);

}  // namespace chatx::node
