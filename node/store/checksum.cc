#include "node/store/checksum.h"

#include <array>
#include <cstddef>

namespace chatx::node {

namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t remainder = byte;
        for (int bit = 0; bit < 8; ++bit) {
            remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0x82F63B78U : 0U);
        }
        table[byte] = remainder;
    }
    return table;
}

constexpr auto table = make_table();

}  // namespace

Checksum& Checksum::add(std::uint64_t number) {
    std::array<char, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<char>(number >> (8 * i));
    add_bytes({bytes.data(), bytes.size()});
    return *this;
}

Checksum& Checksum::add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    add_bytes(text);
    return *this;
}

void Checksum::add_bytes(std::string_view bytes) {
    for (const char byte : bytes) {
        state_ = (state_ >> 8) ^ table[(state_ ^ static_cast<unsigned char>(byte)) & 0xFFU];
    }
}

}  // namespace chatx::node
