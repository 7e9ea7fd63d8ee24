#include <chatx/errors.h>

#include <doctest/doctest.h>

#include <set>

namespace chatx {

namespace {

bool is_a_sentence(std::string_view text) {
    return text.size() > 20 && text.front() >= 'A' && text.front() <= 'Z' && text.ends_with('.')
           && text.find(". ") == std::string_view::npos;
}

}  // namespace

TEST_CASE("every reason has a name, and the name leads back to it") {
    CHECK(all_reasons().size() == reason_count);
    for (const auto& info : all_reasons()) {
        CHECK(to_text(info.reason) == info.text);
        CHECK(reason_from_text(info.text) == info.reason);
    }
}

TEST_CASE("names on the wire are small letters, digits and underscores, and differ") {
    std::set<std::string_view> names;
    for (const auto& info : all_reasons()) {
        CHECK(
            info.text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789")
            == std::string_view::npos);
        CHECK(names.insert(info.text).second);
    }
}

TEST_CASE("every reason is explained in one sentence of cause and one of remedy") {
    for (const auto& info : all_reasons()) {
        CAPTURE(info.text);
        CHECK(is_a_sentence(info.cause));
        CHECK(is_a_sentence(info.remedy));
    }
}

TEST_CASE("a text that is no reason is none") {
    CHECK_FALSE(reason_from_text("").has_value());
    CHECK_FALSE(reason_from_text("Timeout").has_value());
    CHECK_FALSE(reason_from_text("unmatched topic").has_value());
}

}  // namespace chatx
