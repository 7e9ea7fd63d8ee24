#include "node/text.h"

#include "proto/utf8.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <string_view>

namespace chatx::node {

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

}  // namespace

TEST_CASE("plain text stays as it is, whatever the script") {
    for (const char* text : {"", "hello world", "Grüße", "日本語", "🙂", "a=b {c} [d]"})
        CHECK(escaped(text) == text);
}

TEST_CASE("what could end a line or steer a terminal is escaped") {
    CHECK(escaped("a\r\nb\tc") == "a\\r\\nb\\tc");
    CHECK(escaped("\x1b[31mred\x7f") == "\\u001b[31mred\\u007f");
    CHECK(escaped(std::string_view("\0", 1)) == "\\u0000");
    CHECK(escaped("\u0085\u009b") == "\\u0085\\u009b");
    CHECK(escaped("\u2028\u2029") == "\\u2028\\u2029");
    CHECK(escaped("\u202eabc\u2066\u061c\ufeff") == "\\u202eabc\\u2066\\u061c\\ufeff");
    CHECK(escaped("\"\\") == "\\\"\\\\");
}

TEST_CASE("bytes that are not UTF-8 are replaced one by one") {
    CHECK(
        escaped("a\xff"
                "b")
        == "a\\ufffdb");
    CHECK(escaped("\xc3") == "\\ufffd");
    CHECK(escaped("\xe2\x80") == "\\ufffd\\ufffd");
    CHECK(escaped("\xed\xa0\x80") == "\\ufffd\\ufffd\\ufffd");  // Half of a surrogate pair.
    CHECK(escaped("\xc0\x80") == "\\ufffd\\ufffd");             // Overlong.
}

TEST_CASE("escaped text is UTF-8 without control characters, whatever went in") {
    CHECK(rc::check([](const std::string& text) {
        const std::string out = escaped(text);
        RC_ASSERT(proto::is_utf8(out));
        RC_ASSERT(!proto::find_control(out));
        RC_ASSERT(quoted(text) == "\"" + out + "\"");
    }));
}

TEST_CASE("long text is cut between characters") {
    CHECK(clipped("12345", 5) == "12345");
    CHECK(clipped("123456", 5) == "12345...");
    CHECK(clipped("1234ü", 5) == "1234...");
    CHECK(clipped("ü", 0) == "...");
}

}  // namespace chatx::node
