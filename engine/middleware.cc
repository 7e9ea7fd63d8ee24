#include "engine/middleware.h"

#include "proto/nearest.h"

#include <algorithm>
#include <array>
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

std::string quoted(std::string_view name) {
    return "\"" + std::string(name) + "\"";
}

std::string unknown_name(const std::string& name, const Chain::Plan& plan) {
    std::vector<std::string_view> known;
    known.reserve(built_ins.size() + plan.custom.size());
    for (const auto& built_in : built_ins)
        known.push_back(built_in.name);
    known.insert(known.end(), plan.custom.begin(), plan.custom.end());
    const auto near = proto::nearest(name, known);
    return "unknown middleware " + quoted(name)
           + (near ? "; did you mean " + quoted(*near) + "?" : std::string());
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
