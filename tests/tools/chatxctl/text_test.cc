#include "tools/chatxctl/text.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>

namespace chatx::tools {
namespace {

bool has_control(const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
}

TEST_CASE("what could steer a terminal shows as an escape") {
    CHECK(shown("\x1b[31mred") == "\\u001b[31mred");
    CHECK(shown("a\r\nb\tc") == "a\\r\\nb\\tc");
    CHECK(shown("\xC2\x9B") == "\\u009b");            // C1: the other CSI.
    CHECK(shown("\xE2\x80\xA8") == "\\u2028");        // A line separator.
    CHECK(shown("\xE2\x80\xAEgpj") == "\\u202egpj");  // Turns the text around.
    CHECK(shown("\xFF") == "\\ufffd");
}

TEST_CASE("harmless text shows as it is, and a backslash is told from an escape") {
    CHECK(shown("\"Grüße\", 中文 🔥") == "\"Grüße\", 中文 🔥");
    CHECK(shown("\\n") == "\\\\n");
    CHECK(shown("\\\"") == "\\\\\"");
}

TEST_CASE("no control character is left in what is shown, whatever the bytes are") {
    CHECK(rc::check([](const std::string& bytes) { return !has_control(shown(bytes)); }));
}

TEST_CASE("columns are those of a terminal") {
    CHECK(columns_of("abc") == 3);
    CHECK(columns_of("äöü") == 3);
    CHECK(columns_of("中文") == 4);
    CHECK(columns_of("e\xCC\x81") == 1);  // A combining accent.
}

TEST_CASE("a clipped text fits and says that it is clipped") {
    CHECK(clipped("abcdef", 6) == "abcdef");
    CHECK(clipped("abcdef", 5) == "abcd…");
    CHECK(clipped("中文字", 4) == "中…");
    CHECK(clipped("", 0) == "");
}

TEST_CASE("padding fills on either side and cuts nothing") {
    CHECK(padded("ab", 4) == "ab  ");
    CHECK(padded("ab", 4, true) == "  ab");
    CHECK(padded("中", 4) == "中  ");
    CHECK(padded("abcd", 2) == "abcd");
}

TEST_CASE("words are wrapped behind their indent, and one too long stands alone") {
    CHECK(wrapped("one two three", 2, 9) == "  one two\n  three\n");
    CHECK(wrapped("a verylongword b", 0, 5) == "a\nverylongword\nb\n");
}

TEST_CASE("times are local") {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the test has one thread.
    ::setenv("TZ", "UTC-2", 1);
    ::tzset();
    CHECK(local_time(1'750'000'000'999) == "2025-06-15 17:06:40");
}

TEST_CASE("spans are told in two parts at most") {
    CHECK(span_text(0) == "0 s");
    CHECK(span_text(59) == "59 s");
    CHECK(span_text(60) == "1 min");
    CHECK(span_text(3'600) == "1 h 0 min");
    CHECK(span_text(90'000) == "1 d 1 h");
}

}  // namespace
}  // namespace chatx::tools
