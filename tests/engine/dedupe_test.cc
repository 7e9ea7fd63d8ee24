#include "engine/dedupe.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <chrono>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace chatx::engine {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint start = TimePoint(1h);

Dedupe::Key key(const std::string& client_id, const std::string& user = "ann") {
    return {*UserId::parse(user), client_id};
}

SendReply reply_at(std::uint64_t seq) {
    return {MessageId{seq}, {}, Seq{seq}, {}};
}

const SendReply* outcome(const Dedupe& dedupe, const Dedupe::Key& of) {
    const auto* entry = dedupe.find(of);
    return entry == nullptr ? nullptr : std::get_if<SendReply>(entry);
}

}  // namespace

TEST_CASE("a key is unknown, then pending, then known with its reply") {
    Dedupe dedupe({});
    CHECK(dedupe.find(key("a")) == nullptr);
    CHECK(dedupe.begin(key("a"), 7));
    REQUIRE(dedupe.find(key("a")) != nullptr);
    CHECK(*dedupe.find(key("a")) == Dedupe::Entry(Dedupe::Pending{7}));
    dedupe.complete(key("a"), reply_at(1), start);
    REQUIRE(outcome(dedupe, key("a")) != nullptr);
    CHECK(*outcome(dedupe, key("a")) == reply_at(1));
}

TEST_CASE("a key belongs to its user") {
    Dedupe dedupe({});
    CHECK(dedupe.begin(key("a", "ann"), 1));
    CHECK(dedupe.find(key("a", "bob")) == nullptr);
    CHECK(dedupe.begin(key("a", "bob"), 2));
}

TEST_CASE("a send that failed leaves no entry, one that was applied stays") {
    Dedupe dedupe({});
    CHECK(dedupe.begin(key("a"), 1));
    dedupe.abandon(key("a"));
    CHECK(dedupe.size() == 0);
    CHECK(dedupe.begin(key("a"), 2));
    dedupe.complete(key("a"), reply_at(1), start);
    dedupe.abandon(key("a"));
    CHECK(outcome(dedupe, key("a")) != nullptr);
}

TEST_CASE("an entry is forgotten a window after it was applied, and a pending one never") {
    Dedupe dedupe({.window = 10min, .entries_max = 10, .waiters_max = 1});
    CHECK(dedupe.begin(key("pending"), 1));
    CHECK(dedupe.begin(key("a"), 2));
    dedupe.complete(key("a"), reply_at(1), start);
    dedupe.complete(key("b"), reply_at(2), start + 1min);
    CHECK(dedupe.first_expiry() == start + 10min);
    CHECK(dedupe.last_expiry() == start + 11min);
    CHECK(dedupe.oldest_seq() == Seq{1});
    dedupe.expire(start + 10min - 1ns);
    CHECK(dedupe.find(key("a")) != nullptr);
    dedupe.expire(start + 10min);
    CHECK(dedupe.find(key("a")) == nullptr);
    CHECK(dedupe.oldest_seq() == Seq{2});
    dedupe.expire(start + 24h);
    CHECK(dedupe.size() == 1);
    CHECK(dedupe.find(key("pending")) != nullptr);
    CHECK_FALSE(dedupe.oldest_seq());
}

TEST_CASE("it takes as many entries as it may and no more") {
    Dedupe dedupe({.window = 10min, .entries_max = 2, .waiters_max = 1});
    CHECK(dedupe.begin(key("a"), 1));
    CHECK_FALSE(dedupe.full());
    CHECK(dedupe.begin(key("b"), 2));
    CHECK(dedupe.full());
    CHECK_FALSE(dedupe.begin(key("c"), 3));
    dedupe.complete(key("d"), reply_at(1), start);
    CHECK(dedupe.find(key("d")) == nullptr);
    dedupe.complete(key("a"), reply_at(1), start);
    CHECK(outcome(dedupe, key("a")) != nullptr);
    CHECK(dedupe.size() == 2);
}

namespace {

void keys_have_one_entry_each() {
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 4 * 5));
    Dedupe dedupe({.window = 20s, .entries_max = 3, .waiters_max = 1});
    std::map<std::string, bool> applied;  // Known keys.
    std::map<std::string, SendReply> replies;
    TimePoint now = start;
    std::uint64_t count = 0;
    for (const int step : steps) {
        const std::string name(1, static_cast<char>('a' + step / 4));
        const bool known = applied.contains(name);
        now += 1ns;
        ++count;
        if (step % 4 == 0) {
            RC_ASSERT(dedupe.begin(key(name), count) == (!known && applied.size() < 3));
            if (!known && applied.size() < 3) applied[name] = false;
        } else if (step % 4 == 1 && known) {
            dedupe.complete(key(name), reply_at(count), now);
            if (!applied[name]) replies[name] = reply_at(count);
            applied[name] = true;
        } else if (step % 4 == 2) {
            dedupe.abandon(key(name));
            if (known && !applied[name]) applied.erase(name);
        } else {
            dedupe.expire(now);
        }
        RC_ASSERT(dedupe.size() == applied.size());
        for (const auto& [each, done] : applied) {
            const auto* reply = outcome(dedupe, key(each));
            RC_ASSERT((reply != nullptr) == done);
            if (done) RC_ASSERT(*reply == replies[each]);
        }
    }
}

}  // namespace

TEST_CASE("whatever happens, a key has one entry, and its first reply stays") {
    CHECK(rc::check(keys_have_one_entry_each));
}

}  // namespace chatx::engine
