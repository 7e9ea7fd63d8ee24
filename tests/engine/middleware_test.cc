#include "engine/middleware.h"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

namespace chatx::engine {

namespace {

std::vector<std::string> names_of(const std::variant<Chain, std::string>& built) {
    REQUIRE(std::holds_alternative<Chain>(built));
    std::vector<std::string> names;
    for (const auto& stage : std::get<Chain>(built).stages())
        names.push_back(stage.name);
    return names;
}

std::string problem_of(const Chain::Plan& plan) {
    const auto built = Chain::build(plan);
    REQUIRE(std::holds_alternative<std::string>(built));
    return std::get<std::string>(built);
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the default chain is auth, rate_limit, moderation") {
    CHECK(names_of(Chain::build({})) == Names{"auth", "rate_limit", "moderation"});
}

TEST_CASE("a chain keeps the configured order and takes the program's own middlewares") {
    const auto built = Chain::build({{"spam_2", "moderation", "auth"}, {"spam_2"}, true, true});
    CHECK(names_of(built) == Names{"spam_2", "moderation", "auth"});
    const Chain& chain = std::get<Chain>(built);
    CHECK(chain.at(0) == Stage{Stage::Kind::custom, "spam_2"});
    CHECK(chain.at(0).label() == "middleware");
    CHECK(chain.at(1).label() == "moderation");
    CHECK(chain.at(2).label() == "auth");
}

TEST_CASE("all stages but the rate limit are run outside the room") {
    const auto built = Chain::build({});
    const Chain& chain = std::get<Chain>(built);
    CHECK(chain.at(0).external());
    CHECK_FALSE(chain.at(1).external());
    CHECK(chain.at(1).label() == "rate_limit");
    CHECK(chain.at(2).external());
}

TEST_CASE("stages with nothing to do are left out") {
    CHECK(
        names_of(Chain::build({{"auth", "rate_limit", "moderation"}, {}, false, false}))
        == Names{"rate_limit"});
    CHECK(names_of(Chain::build({{}, {}, true, true})).empty());
}

TEST_CASE("an unknown name is an error that suggests the nearest one") {
    CHECK(
        problem_of({{"rate_limt"}, {}, true, true})
        == "unknown middleware \"rate_limt\"; did you mean \"rate_limit\"?");
    CHECK(
        problem_of({{"span"}, {"spam"}, true, true})
        == "unknown middleware \"span\"; did you mean \"spam\"?");
    CHECK(problem_of({{"zzz"}, {}, true, true}) == "unknown middleware \"zzz\"");
    CHECK(problem_of({{""}, {}, true, true}) == "unknown middleware \"\"");
    CHECK(
        problem_of({{std::string(65, 'a')}, {}, true, true}).find("did you mean")
        == std::string::npos);
}

TEST_CASE("a left-out stage is still checked") {
    CHECK(problem_of({{"auth", "auth"}, {}, false, true}) == "middleware \"auth\" is named twice");
}

TEST_CASE("a name may come once") {
    CHECK(
        problem_of({{"auth", "rate_limit", "auth"}, {}, true, true})
        == "middleware \"auth\" is named twice");
    CHECK(problem_of({{}, {"spam", "spam"}, true, true}) == "two middlewares are named \"spam\"");
}

TEST_CASE("the program's own names are well formed and hide no built-in one") {
    CHECK(
        problem_of({{}, {"auth"}, true, true})
        == "a middleware is named \"auth\", which is built in");
    CHECK(problem_of({{}, {"Spam"}, true, true}).find("lower-case") != std::string::npos);
    CHECK(problem_of({{}, {""}, true, true}).find("lower-case") != std::string::npos);
}

}  // namespace chatx::engine
