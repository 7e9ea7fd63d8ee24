#include <chatx/entropy.h>

#include <doctest/doctest.h>

#include <array>
#include <limits>

namespace chatx {

namespace {

/// Always the same number.
class FixedEntropy final : public Entropy {
public:
    explicit FixedEntropy(std::uint64_t number) : number_(number) {}

    std::uint64_t next() override { return number_; }

private:
    std::uint64_t number_;
};

}  // namespace

TEST_CASE("one seed gives one sequence, the published one") {
    SeededEntropy entropy(1234567);
    CHECK(entropy.next() == 6457827717110365317U);
    CHECK(entropy.next() == 3203168211198807973U);
    CHECK(entropy.next() == 9817491932198370423U);
}

TEST_CASE("a bounded number is below its bound at both ends of the range") {
    FixedEntropy smallest(0);
    FixedEntropy largest(std::numeric_limits<std::uint64_t>::max());
    CHECK(smallest.below(10) == 0);
    CHECK(largest.below(10) == 9);
    CHECK(largest.below(1) == 0);
    CHECK(largest.below(0) == 0);
}

TEST_CASE("bounded numbers are spread evenly") {
    SeededEntropy entropy(7);
    std::array<int, 6> counts{};
    for (int i = 0; i < 6'000; ++i)
        ++counts[entropy.below(counts.size())];
    for (const int count : counts) {
        CHECK(count > 850);
        CHECK(count < 1'150);
    }
}

}  // namespace chatx
