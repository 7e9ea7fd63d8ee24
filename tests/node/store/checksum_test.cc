#include "node/store/checksum.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

namespace chatx::node {
namespace {

TEST_CASE("the checksum is CRC-32C: the examples of RFC 3720, B.4") {
    Checksum zeros;
    Checksum ones;
    Checksum growing;
    for (std::uint64_t i = 0; i < 4; ++i) {
        zeros.add(std::uint64_t{0});
        ones.add(~std::uint64_t{0});
        growing.add(0x0706050403020100U + i * 0x0808080808080808U);
    }
    CHECK(zeros.value() == 0x8A9136AA);
    CHECK(ones.value() == 0x62A8AB43);
    CHECK(growing.value() == 0x46DD794E);
}

TEST_CASE("where a field ends is part of the checksum") {
    CHECK(Checksum().add("ab").add("c").value() != Checksum().add("a").add("bc").value());
    CHECK(Checksum().add("").add("abc").value() != Checksum().add("abc").add("").value());
    CHECK(Checksum().value() != Checksum().add("").value());
}

TEST_CASE("every flipped bit changes the checksum") {
    const std::string text = "a record of some length, with \xF0\x9F\x91\xA9 in it";
    const auto good = Checksum().add(text).value();
    for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
        auto flipped = text;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        CHECK(Checksum().add(flipped).value() != good);
    }
}

}  // namespace
}  // namespace chatx::node
