#include "engine/audience.h"

#include <chatx/entropy.h>

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>

#include <limits>
#include <string_view>
#include <vector>

namespace chatx::engine {

namespace {

struct Fixture {
    Audience audience;
    SeededEntropy entropy{1};

    Presence::Change enter(MemberKey key, std::string_view user, bool visible = true) {
        return audience.enter({key, user_id(user), visible, "x"}, start_wall, entropy);
    }
};

}  // namespace

TEST_CASE("a listener is in, and nobody is told") {
    Fixture fixture;
    CHECK(fixture.enter(member(1), "ann", false).diff.empty());
    CHECK(fixture.audience.contains(member(1)));
    CHECK_FALSE(fixture.audience.shows(member(1), user_id("ann")));
    CHECK(fixture.audience.leave(member(1)).diff.empty());
    CHECK(fixture.audience.size() == 0);
}

TEST_CASE("a listener that becomes visible joins, and the other way round leaves") {
    Fixture fixture;
    fixture.enter(member(1), "ann", false);
    CHECK(fixture.enter(member(1), "ann", true).users_joined == 1);
    CHECK(fixture.audience.shows(member(1), user_id("ann")));
    CHECK_FALSE(fixture.audience.shows(member(1), user_id("bob")));
    CHECK(fixture.enter(member(1), "ann", false).users_left == 1);
    CHECK(fixture.audience.size() == 1);
}

TEST_CASE("a visible member that another user takes over as a listener leaves") {
    Fixture fixture;
    fixture.enter(member(1), "ann");
    CHECK(fixture.enter(member(1), "bob", false).diff.leaves.contains("ann"));
    CHECK(fixture.audience.presence().user_count() == 0);
}

TEST_CASE("the edges are those with members, each once and in order") {
    Fixture fixture;
    CHECK(fixture.audience.edges().empty());
    fixture.enter(member(5, 9), "ann");
    fixture.enter(member(std::numeric_limits<std::uint64_t>::max(), 2), "bob", false);
    fixture.enter(member(1, 2), "cyd");
    fixture.enter(member(0, 4), "dan");
    CHECK(fixture.audience.edges() == std::vector{EdgeId{2}, EdgeId{4}, EdgeId{9}});
    fixture.audience.leave(member(0, 4));
    CHECK(fixture.audience.edges() == std::vector{EdgeId{2}, EdgeId{9}});
    CHECK(fixture.audience.drop_edge(EdgeId{2}).users_left == 1);
    CHECK(fixture.audience.edges() == std::vector{EdgeId{9}});
}

}  // namespace chatx::engine
