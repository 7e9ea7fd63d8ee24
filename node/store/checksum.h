#pragma once

#include <cstdint>
#include <string_view>

namespace chatx::node {

/// The checksum of a stored record: CRC-32C (the polynomial of Castagnoli, Bräuer and Herrmann
/// 1993, as in RFC 3720) over its fields. Finds every flipped bit and all but one in 2^32 of other
/// damage; it is no protection against somebody who means harm.
class Checksum {
public:
    Checksum& add(std::uint64_t number);

    /// Length and bytes, so that no two lists of fields look alike.
    Checksum& add(std::string_view text);

    [[nodiscard]] std::uint32_t value() const { return ~state_; }

private:
    void add_bytes(std::string_view bytes);

    std::uint32_t state_ = 0xFFFFFFFFU;
};

}  // namespace chatx::node
