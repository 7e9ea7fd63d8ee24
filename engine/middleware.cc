#include "engine/middleware.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

namespace chatx::engine {

namespace {

struct BuiltIn {
    std::string_view name;
    Stage::Kind kind;
};

constexpr std::array built_ins = {
    BuiltIn{"auth", Stage::Kind::auth},
    BuiltIn{"rate_limit", Stage::Kind::rate_limit},
    BuiltIn{"moderation", Stage::Kind::moderation},
};

/// The number of characters to insert, delete or replace (Levenshtein, 1965), row by row (Wagner,
/// Fischer, 1974).
std::size_t distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

std::string quoted(std::string_view name) {
    return "\"" + std::string(name) + "\"";
}

std::string unknown_name(const std::string& name, const Chain::Plan& plan) {
    constexpr std::size_t name_size_max =
        256;  // The distance takes time by the product of the sizes.
    std::string nearest;
    if (name.size() <= name_size_max) {
        std::size_t best = name.size();  // A name that shares nothing is no suggestion.
        const auto consider = [&](std::string_view candidate) {
            const std::size_t steps = distance(name, candidate);
            if (steps < best) {
                best = steps;
                nearest = candidate;
            }
        };
        for (const auto& built_in : built_ins)
            consider(built_in.name);
        for (const auto& custom : plan.custom)
            consider(custom);
    }
    std::string problem = "unknown middleware " + quoted(name);
    if (!nearest.empty()) problem += "; did you mean " + quoted(nearest) + "?";
    return problem;
}

bool well_formed(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

std::optional<std::string> problem_with_custom(const Chain::Plan& plan) {
    for (auto name = plan.custom.begin(); name != plan.custom.end(); ++name) {
        if (!well_formed(*name)) {
            return "a middleware is named " + quoted(*name)
                   + "; names are lower-case letters, digits and underscores";
        }
        if (std::ranges::find(built_ins, *name, &BuiltIn::name) != built_ins.end()) {
            return "a middleware is named " + quoted(*name) + ", which is built in";
        }
        if (std::find(plan.custom.begin(), name, *name) != name) {
            return "two middlewares are named " + quoted(*name);
        }
    }
    return std::nullopt;
}

std::optional<Stage::Kind> kind_of(const std::string& name, const Chain::Plan& plan) {
    const auto built_in = std::ranges::find(built_ins, name, &BuiltIn::name);
    if (built_in != built_ins.end()) return built_in->kind;
    if (std::ranges::find(plan.custom, name) != plan.custom.end()) return Stage::Kind::custom;
    return std::nullopt;
}

}  // namespace

std::string_view Stage::label() const {
    switch (kind) {
        case Kind::auth:
            return "auth";
        case Kind::rate_limit:
            return "rate_limit";
        case Kind::moderation:
            return "moderation";
        case Kind::custom:
            break;
    }
    return "middleware";
}

std::variant<Chain, std::string> Chain::build(const Plan& plan) {
    if (auto problem = problem_with_custom(plan)) return *problem;
    Chain chain;
    for (auto name = plan.names.begin(); name != plan.names.end(); ++name) {
        const auto kind = kind_of(*name, plan);
        if (!kind) return unknown_name(*name, plan);
        if (std::find(plan.names.begin(), name, *name) != name) {
            return "middleware " + quoted(*name) + " is named twice";
        }
        const bool idle = (*kind == Stage::Kind::auth && !plan.auth)
                          || (*kind == Stage::Kind::moderation && !plan.moderation);
        if (!idle) chain.stages_.push_back({*kind, *name});
    }
    return chain;
}

}  // namespace chatx::engine
