#pragma once

#include "node/config.h"
#include "node/config_keys.h"

#include <cstddef>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// A value that somebody gave to a key, right or wrong.
struct ConfigAssignment {
    std::string key;
    ConfigValue value;
    Origin origin;
    std::string shown;  // The value as an error message shows it.
};

/// An assignment of a text without quotes, from the environment or a flag.
[[nodiscard]] ConfigAssignment assign_plain(std::string key, std::string text, Origin origin);

/// The value of a message: quoted, escaped and not too long.
[[nodiscard]] std::string shown_text(std::string_view text);

/// What is wrong with a configuration: a line for each problem, in the order found, up to
/// `config_problems_max`.
class ConfigProblems {
public:
    /// A problem at a place, such as `chatx.toml:3`; it concerns `key`, if it concerns one.
    void add(std::string_view place, std::string_view text, std::string_view key = {});

    /// A problem of the value that a key has, named where that came from.
    void add_for(std::string_view key, const LoadedConfig& loaded, std::string_view text);

    [[nodiscard]] bool empty() const { return count_ == 0; }

    /// None of these keys has a problem so far, so that rules about several of them make sense.
    [[nodiscard]] bool spare(std::initializer_list<std::string_view> keys) const;

    /// All lines, and how many were left out.
    [[nodiscard]] std::string text() const;

private:
    std::string lines_;
    std::size_t count_ = 0;
    std::set<std::string, std::less<>> keys_;
};

/// The place that begins a line about this origin: `chatx.toml:3`, `environment CHATX_NAME`,
/// `--name` or `default`.
[[nodiscard]] std::string place_of(const Origin& origin);

/// Gives the values to their keys, in order: later ones win.
void apply(
    std::span<const ConfigAssignment> assignments, LoadedConfig& loaded, ConfigProblems& problems);

}  // namespace chatx::node
