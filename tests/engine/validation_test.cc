#include "engine/validation.h"

#include <chatx/message.h>

#include <doctest/doctest.h>

#include <string>

namespace chatx::engine {

namespace {

Reason reason_of(const Result<Done>& result) {
    REQUIRE_FALSE(result);
    return result.error().reason;
}

}  // namespace

TEST_CASE("content has at least one byte and at most the limit") {
    CHECK(reason_of(check_content("", 8)) == Reason::invalid_content);
    CHECK(check_content("x", 8));
    CHECK(check_content(std::string(7, 'x'), 8));
    CHECK(check_content(std::string(8, 'x'), 8));
    CHECK(reason_of(check_content(std::string(9, 'x'), 8)) == Reason::message_too_large);
}

TEST_CASE("content counts bytes, not characters") {
    CHECK(check_content("\u00fc\u00fc\u00fc\u00fc", 8));
    CHECK(
        reason_of(check_content("\u00fc\u00fc\u00fc\u00fc\u00fc", 9)) == Reason::message_too_large);
}

TEST_CASE("content is UTF-8, and may hold lines and control characters") {
    CHECK(check_content(std::string("two\nlines\tand\0nul", 17), 100));
    CHECK(reason_of(check_content("\xc3\x28", 100)) == Reason::invalid_utf8);
    CHECK(reason_of(check_content("\xed\xa0\x80", 100)) == Reason::invalid_utf8);
    CHECK(reason_of(check_content("cut \xe2\x82", 100)) == Reason::invalid_utf8);
}

TEST_CASE("a client_id has at most 128 bytes of UTF-8") {
    CHECK(check_client_id(""));
    CHECK(check_client_id(std::string(client_id_size_max - 1, 'x')));
    CHECK(check_client_id(std::string(client_id_size_max, 'x')));
    const std::string long_one(client_id_size_max + 1, 'x');
    CHECK(reason_of(check_client_id(long_one)) == Reason::invalid_content);
    CHECK(reason_of(check_client_id("\xff")) == Reason::invalid_utf8);
}

TEST_CASE("an adapter's refusal is made fit for clients") {
    const Error fine{Reason::muted, "until noon", {}};
    CHECK(presentable(fine) == fine);
    CHECK(presentable({static_cast<Reason>(200), {}, {}}).reason == Reason::adapter_error);
    CHECK(presentable({Reason::muted, "\xff", {}}).detail.empty());
    CHECK(presentable({Reason::muted, std::string(256, 'x'), {}}).detail.size() == 256);
    CHECK(presentable({Reason::muted, std::string(257, 'x'), {}}).detail.size() == 256);
    CHECK(presentable({Reason::muted, std::string(255, 'x') + "\u00fc", {}}).detail.size() == 255);
}

}  // namespace chatx::engine
