#pragma once

#include "node/config.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

namespace chatx::node {

/// What a start of the program sees: made up, so that no test touches the real environment or disk.
struct Start {
    std::vector<std::string> arguments{};
    std::vector<std::string> environment{};
    std::string file{};  // The content of chatx.toml, which `--config chatx.toml` reads.
    std::string host_name = "box";
    std::vector<std::string> middlewares{};
};

inline std::variant<LoadedConfig, Exit> load(const Start& start) {
    const auto read = [&](const std::string& path) -> FileText {
        if (path == "chatx.toml") return {start.file, {}};
        return {{}, "No such file or directory"};
    };
    return load_config({
        .arguments = start.arguments,
        .environment = start.environment,
        .read_file = read,
        .version = "0.1.0",
        .host_name = start.host_name,
        .user_id = 1000,
        .middlewares = start.middlewares,
    });
}

/// The configuration of a start that succeeds.
inline LoadedConfig loaded(const Start& start) {
    auto outcome = load(start);
    if (const Exit* exit = std::get_if<Exit>(&outcome)) FAIL(exit->text);
    return std::get<LoadedConfig>(std::move(outcome));
}

/// A start with nothing but a file.
inline Start with_file(std::string file) {
    return {.arguments = {"--config", "chatx.toml"}, .file = std::move(file)};
}

/// What the program says in place of running.
inline Exit exit_of(const Start& start) {
    const auto outcome = load(start);
    const Exit* exit = std::get_if<Exit>(&outcome);
    return exit == nullptr ? Exit{-1, "it runs"} : *exit;
}

}  // namespace chatx::node
