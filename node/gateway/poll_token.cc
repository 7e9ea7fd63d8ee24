#include "node/gateway/poll_token.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace chatx::node {

namespace {

constexpr std::uint8_t token_version = 1;
constexpr int base64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

using Bytes = std::array<std::uint8_t, 27>;

static_assert(
    poll_token_size == std::tuple_size_v<Bytes> / 3 * 4, "three bytes are four characters");

}  // namespace

std::optional<PollToken> PollToken::parse(std::string_view text) {
    if (text.size() != poll_token_size) return std::nullopt;
    Bytes bytes{};
    std::size_t size = 0;
    const char* end = nullptr;
    const int failed = sodium_base642bin(
        bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, &end, base64);
    if (failed != 0 || size != bytes.size() || end != text.data() + text.size())
        return std::nullopt;
    auto next = bytes.cbegin();
    if (*next++ != token_version) return std::nullopt;
    PollToken token;
    for (std::size_t i = 0; i < sizeof token.shard; ++i)
        token.shard = static_cast<std::uint16_t>(token.shard << 8 | *next++);
    for (std::size_t i = 0; i < sizeof token.session; ++i)
        token.session = token.session << 8 | *next++;
    std::copy(next, bytes.cend(), token.secret.begin());
    return token;
}

std::string PollToken::to_text() const {
    Bytes bytes{};
    auto next = bytes.begin();
    *next++ = token_version;
    for (std::size_t i = sizeof shard; i-- > 0;)
        *next++ = static_cast<std::uint8_t>(shard >> 8 * i);
    for (std::size_t i = sizeof session; i-- > 0;)
        *next++ = static_cast<std::uint8_t>(session >> 8 * i);
    std::copy(secret.begin(), secret.end(), next);
    std::string text(poll_token_size + 1, '\0');  // With the zero that the function ends it by.
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), base64);
    text.resize(poll_token_size);
    return text;
}

bool PollToken::same_secret(const PollToken& other) const {
    return sodium_memcmp(secret.data(), other.secret.data(), secret.size()) == 0;
}

}  // namespace chatx::node
