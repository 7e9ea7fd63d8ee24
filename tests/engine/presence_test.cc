#include "engine/presence.h"

#include <chatx/entropy.h>

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace chatx::engine {

namespace {

struct Fixture {
    Presence presence;
    SeededEntropy entropy{1};

    Presence::Change track(MemberKey key, const std::string& user, const std::string& fields = {}) {
        return presence.track(key, user_id(user), fields, start_wall, entropy);
    }
};

/// What a client makes of a diff: what leaves goes, then what joins comes.
void fold(PresenceMap& state, const PresenceDiff& diff) {
    for (const auto& [user, metas] : diff.leaves) {
        for (const auto& gone : metas) {
            std::erase_if(state.at(user), [&](const auto& meta) { return meta.ref == gone.ref; });
        }
        if (state.at(user).empty()) state.erase(user);
    }
    for (const auto& [user, metas] : diff.joins) {
        state[user].insert(state[user].end(), metas.begin(), metas.end());
    }
}

}  // namespace

TEST_CASE("a member that comes joins, and one that goes leaves with the same meta") {
    Fixture fixture;
    const auto joined = fixture.track(member(1), "ann", R"("name":"A")");
    CHECK(joined.diff.leaves.empty());
    REQUIRE(joined.diff.joins.size() == 1);
    const PresenceMeta meta = joined.diff.joins.at("ann").at(0);
    CHECK(meta.ref.size() == 16);
    CHECK(meta.ref_previous.empty());
    CHECK(meta.online_at_s == 1'750'000'000);
    CHECK(meta.fields == R"("name":"A")");
    const auto left = fixture.presence.untrack(member(1));
    CHECK(left.diff == PresenceDiff{{}, {{"ann", {meta}}}});
    CHECK(fixture.presence.state()->empty());
}

TEST_CASE("tracking the same again changes nothing") {
    Fixture fixture;
    fixture.track(member(1), "ann", "x");
    const auto again = fixture.track(member(1), "ann", "x");
    CHECK(again.diff.empty());
    CHECK(again.users_joined == 0);
    CHECK(fixture.presence.member_count() == 1);
}

TEST_CASE("a new version of a meta names the one before it and keeps its time") {
    Fixture fixture;
    const auto old = fixture.track(member(1), "ann", "x").diff.joins.at("ann").at(0);
    const auto update = fixture.presence.track(
        member(1), user_id("ann"), "y", start_wall + std::chrono::hours(1), fixture.entropy);
    CHECK(update.diff.leaves == PresenceMap{{"ann", {old}}});
    const auto& fresh = update.diff.joins.at("ann").at(0);
    CHECK(fresh.ref != old.ref);
    CHECK(fresh.ref_previous == old.ref);
    CHECK(fresh.online_at_s == old.online_at_s);
    CHECK(fresh.fields == "y");
    CHECK(update.users_joined == 0);
    CHECK(update.users_left == 0);
    CHECK(fixture.presence.state()->at("ann").size() == 1);
}

TEST_CASE("a user is told to come with the first connection and to go with the last") {
    Fixture fixture;
    CHECK(fixture.track(member(1), "ann").users_joined == 1);
    CHECK(fixture.track(member(2), "ann").users_joined == 0);
    CHECK(fixture.presence.state()->at("ann").size() == 2);
    CHECK(fixture.presence.untrack(member(1)).users_left == 0);
    CHECK(fixture.presence.untrack(member(2)).users_left == 1);
}

TEST_CASE("another user on the same connection takes its place in one change") {
    Fixture fixture;
    fixture.track(member(1), "ann");
    const auto change = fixture.track(member(1), "bob");
    CHECK(change.diff.leaves.contains("ann"));
    CHECK(change.diff.joins.contains("bob"));
    CHECK(change.users_left == 1);
    CHECK(change.users_joined == 1);
    CHECK(fixture.presence.member_count() == 1);
}

TEST_CASE("hiding somebody who is not shown changes nothing") {
    Fixture fixture;
    CHECK(fixture.presence.untrack(member(1)).diff.empty());
    CHECK(fixture.presence.drop_edge(EdgeId{1}).diff.empty());
}

TEST_CASE("dropping an edge hides all its members and no others") {
    Fixture fixture;
    fixture.track(member(1, 1), "ann");
    fixture.track(member(2, 1), "bob");
    fixture.track(member(1, 2), "ann");
    fixture.track(member(0, 2), "cyd");
    const auto change = fixture.presence.drop_edge(EdgeId{1});
    CHECK(change.diff.leaves.size() == 2);
    CHECK(change.users_left == 1);
    CHECK(fixture.presence.member_count() == 2);
    CHECK(fixture.presence.user_count() == 2);
}

TEST_CASE("the state is one object until something changes, and what was handed out stays") {
    Fixture fixture;
    fixture.track(member(1), "ann");
    const auto before = fixture.presence.state();
    CHECK(fixture.presence.state() == before);
    fixture.track(member(1), "ann");
    CHECK(fixture.presence.state() == before);
    fixture.track(member(2), "bob");
    CHECK(fixture.presence.state() != before);
    CHECK(before->size() == 1);
}

namespace {

void state_is_sum_of_differences() {
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000));
    Fixture fixture;
    PresenceMap sum;
    std::set<std::string> refs;
    std::size_t users = 0;
    for (const int step : steps) {
        const MemberKey key = member(
            static_cast<std::uint64_t>(step / 5 % 4), static_cast<std::uint16_t>(step / 20 % 2));
        const std::string user(1, static_cast<char>('a' + step / 40 % 3));
        Presence::Change change;
        switch (step % 5) {
            case 0:
                change = fixture.presence.untrack(key);
                break;
            case 1:
                change = fixture.presence.drop_edge(key.edge);
                break;
            default:
                change = fixture.track(key, user, step % 5 == 2 ? "x" : "y");
        }
        fold(sum, change.diff);
        users += change.users_joined;
        users -= change.users_left;
        RC_ASSERT(*fixture.presence.state() == sum);
        RC_ASSERT(fixture.presence.user_count() == users);
        for (const auto& [name, metas] : change.diff.joins) {
            for (const auto& meta : metas)
                RC_ASSERT(refs.insert(meta.ref).second);
        }
    }
}

}  // namespace

TEST_CASE("the state is the sum of all differences, and no ref comes twice") {
    CHECK(rc::check(state_is_sum_of_differences));
}

}  // namespace chatx::engine
