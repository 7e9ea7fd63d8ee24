#include "node/gateway/poll_token.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace chatx::node {

TEST_CASE("a token survives its text, and tells shard and session apart") {
    const PollToken token{0x0102, 0x0304050607080900, draw_secret()};
    const std::string text = token.to_text();
    CHECK(text.size() == poll_token_size);
    const auto parsed = PollToken::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->shard == 0x0102);
    CHECK(parsed->session == 0x0304050607080900);
    CHECK(parsed->same_secret(token));
    CHECK(parsed->to_text() == text);
}

TEST_CASE("a token needs no escapes in a URL") {
    for (int i = 0; i < 100; ++i) {
        const std::string text = PollToken{65'535, UINT64_MAX, draw_secret()}.to_text();
        CHECK(std::all_of(text.begin(), text.end(), [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '-' || c == '_';
        }));
    }
}

TEST_CASE("no two tokens have the same secret, and one bit makes another") {
    std::set<std::string> texts;
    for (int i = 0; i < 1000; ++i)
        CHECK(texts.insert(PollToken{1, 1, draw_secret()}.to_text()).second);
    const PollToken token{1, 1, draw_secret()};
    for (std::size_t bit = 0; bit < token.secret.size() * 8; ++bit) {
        PollToken other = token;
        other.secret.at(bit / 8) ^= static_cast<std::uint8_t>(1U << bit % 8);
        CHECK_FALSE(other.same_secret(token));
    }
}

TEST_CASE("what is no token is refused: other lengths, alphabets and versions") {
    const std::string text = PollToken{1, 2, draw_secret()}.to_text();
    CHECK_FALSE(PollToken::parse(""));
    CHECK_FALSE(PollToken::parse("undefined"));
    CHECK_FALSE(PollToken::parse(text.substr(1)));
    CHECK_FALSE(PollToken::parse(text + "A"));
    CHECK_FALSE(PollToken::parse(text.substr(0, 35) + "="));
    CHECK_FALSE(PollToken::parse(text.substr(0, 35) + "+"));
    CHECK_FALSE(PollToken::parse(text.substr(0, 35) + " "));
    CHECK_FALSE(PollToken::parse(text.substr(0, 35) + std::string(1, '\0')));
    CHECK_FALSE(PollToken::parse("Ag" + text.substr(2)));
    CHECK_FALSE(PollToken::parse(std::string(poll_token_size, 'A')));
}

}  // namespace chatx::node
