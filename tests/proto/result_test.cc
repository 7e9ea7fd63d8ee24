#include <chatx/result.h>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>

namespace chatx {

namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return Reason::invalid_content;
    return number / 2;
}

}  // namespace

TEST_CASE("a result is a value or a refusal") {
    CHECK(half(4).has_value());
    CHECK(*half(4) == 2);
    CHECK_FALSE(half(3));
    CHECK(half(3).error().reason == Reason::invalid_content);
    CHECK(half(3).error().detail.empty());
}

TEST_CASE("a refusal keeps its detail and when to try again") {
    const Error error{Reason::rate_limited, "ten a second", std::chrono::milliseconds(300)};
    const Result<int> refused = error;
    CHECK(refused.error() == error);
}

TEST_CASE("a value can be moved out of a result") {
    Result<std::unique_ptr<std::string>> result = std::make_unique<std::string>("hello");
    const auto text = *std::move(result);
    CHECK(*text == "hello");
}

TEST_CASE("results are equal when their values or their refusals are") {
    CHECK(half(4) == half(4));
    CHECK(half(4) != half(6));
    CHECK(half(3) == half(5));
    CHECK(half(3) != half(4));
    CHECK(Result<Done>(Done{}) == Result<Done>(Done{}));
}

}  // namespace chatx
