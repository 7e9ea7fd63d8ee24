#include "proto/utf8.h"

#include <doctest/doctest.h>

#include <string>

namespace chatx::proto {

TEST_CASE("well-formed UTF-8 is accepted up to the last code point") {
    for (const std::string_view text :
         {"",
          "plain",
          "\xC2\x80",
          "\xDF\xBF",
          "\xE0\xA0\x80",
          "\xED\x9F\xBF",
          "\xEE\x80\x80",
          "\xEF\xBF\xBF",
          "\xF0\x90\x80\x80",
          "\xF4\x8F\xBF\xBF",
          "na\xC3\xAFve \xF0\x9F\x8E\x89"}) {
        CHECK(is_utf8(text));
    }
    CHECK(is_utf8(std::string_view("\0", 1)));
}

TEST_CASE("stray, cut, overlong, surrogate and too large sequences are refused") {
    for (const std::string_view text :
         {"\x80",
          "\xBF",
          "\xC3",
          "a\xE2\x82",
          "\xF0\x9F\x8E",
          "\xC0\x80",
          "\xC1\xBF",
          "\xE0\x9F\xBF",
          "\xF0\x8F\xBF\xBF",
          "\xED\xA0\x80",
          "\xED\xBF\xBF",
          "\xF4\x90\x80\x80",
          "\xF5\x80\x80\x80",
          "\xFE",
          "\xFF",
          "\xC3\xC3"}) {
        CHECK_FALSE(is_utf8(text));
    }
}

TEST_CASE("a bad byte is found anywhere in a long text") {
    for (std::size_t at = 0; at < 200; ++at) {
        std::string text(200, 'x');
        text[at] = '\xFF';
        CHECK_FALSE(is_utf8(text));
    }
}

TEST_CASE("control characters of all three groups are found where they stand") {
    CHECK(find_control("a\tb") == 1);
    CHECK(find_control(std::string_view("ab\0", 3)) == 2);
    CHECK(find_control("\x1F") == 0);
    CHECK(find_control("abc\x7F") == 3);
    CHECK(find_control("\xC2\x80") == 0);
    CHECK(find_control("x\xC2\x9F") == 1);
}

TEST_CASE("what looks like a control character and is none passes") {
    CHECK_FALSE(find_control("").has_value());
    CHECK_FALSE(find_control(" ~").has_value());
    CHECK_FALSE(find_control("\xC2\xA0").has_value());  // No-break space.
    CHECK_FALSE(
        find_control("\xE2\x82\x82").has_value());  // 82 here is the tail of another character.
    CHECK_FALSE(find_control("\xC3\x82").has_value());
}

TEST_CASE("a prefix cuts no character") {
    const std::string_view text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\x89";  // 1, 2, 3 and 4 bytes.
    constexpr std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (std::size_t size_max = 0; size_max < std::size(expected); ++size_max) {
        CAPTURE(size_max);
        CHECK(utf8_prefix(text, size_max) == text.substr(0, expected[size_max]));
    }
}

}  // namespace chatx::proto
