#pragma once

#include "node/net/secret.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chatx::node {

/// What a client shows to be served by its long-poll session. It names the shard that has the
/// session, so that a poll may arrive anywhere, and proves by a secret that the session was given
/// to the one who asks.
///
/// As text it is URL-safe base64 without padding of a version, which is 1, the shard, the session
/// (big-endian) and the secret. A later version may name a node as well.
struct PollToken {
    std::uint16_t shard = 0;
    std::uint64_t session = 0;  // Unique on its shard; no secret.
    Secret secret{};

    /// Nothing for a text that was never a token of this version.
    [[nodiscard]] static std::optional<PollToken> parse(std::string_view text);

    [[nodiscard]] std::string to_text() const;

    /// Takes the same time wherever the secrets differ.
    [[nodiscard]] bool same_secret(const PollToken& other) const;
};

/// Bytes of every token's text.
inline constexpr std::size_t poll_token_size = 36;

}  // namespace chatx::node
