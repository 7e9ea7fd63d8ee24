#include "engine/presence_feed.h"

#include <chatx/entropy.h>

#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

using News = std::vector<PresenceFeed::News>;

/// A feed with small thresholds over a presence.
struct Fixture {
    PresenceFeed::Options options{
        .batch_from = 4, .batch_interval = 500ms, .count_from = 8, .count_interval = 1s};
    Presence presence;
    PresenceFeed feed{options};
    SeededEntropy entropy{1};
    TimePoint now = start;

    News come(std::uint64_t connection, const std::string& fields = {}) {
        const auto user = user_id("u" + std::to_string(connection));
        auto change = presence.track(member(connection), user, fields, start_wall, entropy);
        return feed.changed(presence, std::move(change.diff), now);
    }

    News go(std::uint64_t connection) {
        return feed.changed(presence, presence.untrack(member(connection)).diff, now);
    }

    News pass(Duration time) {
        now += time;
        return feed.tick(presence, now);
    }

    void fill(std::uint64_t count) {
        for (std::uint64_t connection = 1; connection <= count; ++connection)
            come(connection);
    }
};

std::vector<std::string> users_of(const PresenceMap& map) {
    std::vector<std::string> users;
    for (const auto& [user, metas] : map)
        users.push_back(user);
    return users;
}

/// What a client of the protocol knows. Fails when a change is not one to what it knows.
struct Reader {
    PresenceMap members;
    std::optional<std::size_t> count;

    void hear(const News& news) {
        for (const auto& item : news)
            std::visit([this](const auto& one) { take(one); }, item);
    }

    void take(const PresenceState& state) {
        members = *state.members;
        count.reset();
    }

    void take(const Occupancy& occupancy) { count = occupancy.count; }

    void take(const PresenceDiff& diff) {
        for (const auto& [user, metas] : diff.leaves) {
            for (const auto& gone : metas) {
                auto& known = members.at(user);
                RC_ASSERT(
                    std::erase_if(known, [&](const auto& meta) { return meta.ref == gone.ref; })
                    == 1);
                if (known.empty()) members.erase(user);
            }
        }
        for (const auto& [user, metas] : diff.joins) {
            auto& known = members[user];
            for (const auto& meta : metas) {
                RC_ASSERT(std::ranges::count(known, meta.ref, &PresenceMeta::ref) == 0);
                known.push_back(meta);
            }
        }
    }
};

/// The same without order inside of a user: who joined late knows other neighbours first.
std::map<std::string, std::vector<std::string>> refs_of(const PresenceMap& map) {
    std::map<std::string, std::vector<std::string>> refs;
    for (const auto& [user, metas] : map) {
        for (const auto& meta : metas)
            refs[user].push_back(meta.ref);
        std::ranges::sort(refs[user]);
    }
    return refs;
}

}  // namespace

TEST_CASE("a small room tells each change at once") {
    Fixture fixture;
    const News news = fixture.come(1);
    REQUIRE(news.size() == 1);
    CHECK(users_of(std::get<PresenceDiff>(news[0]).joins) == std::vector<std::string>{"u1"});
    CHECK(!fixture.feed.deadline());
    CHECK(users_of(*fixture.feed.snapshot(fixture.presence)) == std::vector<std::string>{"u1"});
}

TEST_CASE("a larger room tells the changes of a while together") {
    Fixture fixture;
    fixture.fill(4);
    CHECK(fixture.come(5).empty());
    CHECK(fixture.go(1).empty());
    REQUIRE(fixture.feed.deadline() == fixture.now + 500ms);
    CHECK(fixture.pass(499ms).empty());
    const News news = fixture.pass(1ms);
    REQUIRE(news.size() == 1);
    const auto& diff = std::get<PresenceDiff>(news[0]);
    CHECK(users_of(diff.joins) == std::vector<std::string>{"u5"});
    CHECK(users_of(diff.leaves) == std::vector<std::string>{"u1"});
    CHECK(!fixture.feed.deadline());
}

TEST_CASE("who comes to a larger room is given what the others were told") {
    Fixture fixture;
    fixture.fill(4);
    fixture.come(5);
    CHECK(users_of(*fixture.feed.snapshot(fixture.presence)).size() == 4);
    fixture.pass(500ms);
    CHECK(users_of(*fixture.feed.snapshot(fixture.presence)).size() == 5);
}

TEST_CASE("who comes and goes within the while is not told of") {
    Fixture fixture;
    fixture.fill(4);
    fixture.come(5);
    fixture.come(5, R"("away":true)");
    fixture.go(5);
    CHECK(fixture.pass(500ms).empty());
}

TEST_CASE("a very large room tells an empty list, and how many are there") {
    Fixture fixture;
    fixture.fill(7);
    const News news = fixture.come(8);
    REQUIRE(news.size() == 2);
    CHECK(std::get<PresenceState>(news[0]).members->empty());
    CHECK(std::get<Occupancy>(news[1]) == Occupancy{8});
    CHECK(fixture.feed.counts());
    CHECK(fixture.feed.snapshot(fixture.presence)->empty());

    CHECK(fixture.come(9).empty());
    CHECK(fixture.come(10).empty());
    const News counted = fixture.pass(1s);
    REQUIRE(counted.size() == 1);
    CHECK(std::get<Occupancy>(counted[0]) == Occupancy{10});
    CHECK(fixture.pass(10s).empty());
}

TEST_CASE("a room comes back to lists when it is small, with a whole one") {
    Fixture fixture;
    fixture.fill(8);
    for (std::uint64_t connection = 8; connection > 3; --connection)
        CHECK(fixture.go(connection).empty());
    const News news = fixture.go(3);
    REQUIRE(news.size() == 1);
    const auto& state = std::get<PresenceState>(news[0]);
    CHECK(users_of(*state.members) == std::vector<std::string>{"u1", "u2"});
    CHECK(!fixture.feed.counts());
    CHECK(!fixture.feed.deadline());
}

TEST_CASE("every reader, whenever it came, knows in the end who is there") {
    CHECK(rc::check([] {
        Fixture fixture;
        std::vector<Reader> readers;
        const auto hear = [&](const News& news) {
            for (auto& reader : readers)
                reader.hear(news);
        };
        const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 100));
        for (const int step : steps) {
            const auto connection = static_cast<std::uint64_t>(1 + step % 11);
            if (step < 50) {
                hear(fixture.come(connection));
                if (step % 2 == 0) hear(fixture.come(connection, std::to_string(step)));
                readers.push_back({*fixture.feed.snapshot(fixture.presence), {}});
            } else if (step < 85) {
                hear(fixture.go(connection));
            } else {
                hear(fixture.pass(std::chrono::milliseconds(step * 5)));
            }
        }
        hear(fixture.pass(1s));
        for (const auto& reader : readers) {
            if (fixture.feed.counts()) {
                RC_ASSERT(reader.members.empty());
            } else {
                RC_ASSERT(refs_of(reader.members) == refs_of(*fixture.presence.state()));
            }
        }
    }));
}

}  // namespace chatx::engine
