#include "node/net/admission.h"

#include "tests/support/messages.h"
#include "tests/support/rates.h"

#include <boost/asio/ip/address.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace chatx::node {

namespace {

using namespace std::chrono_literals;

constexpr TimePoint start = TimePoint(1h);

boost::asio::ip::address address(std::string_view text) {
    return boost::asio::ip::make_address(text);
}

bool taken(Admission& admission, const boost::asio::ip::address& peer, TimePoint now = start) {
    return !admission.admit(peer, now);
}

engine::TokenRate rate(double per_sec, double burst) {
    return engine::TokenRate({.tokens_per_sec = per_sec, .burst = burst});
}

void leave(Admission& admission, const boost::asio::ip::address& peer) {
    admission.settle(peer);
    admission.release(peer);
}

/// Takes a connection in and lets it go.
void visit(Admission& admission, std::string_view peer, TimePoint now = start) {
    REQUIRE(taken(admission, address(peer), now));
    leave(admission, address(peer));
}

/// Fifteen come and go; returns how many connections there were at their height.
std::size_t crowd(Admission& admission, const boost::asio::ip::address& peer) {
    int admitted = 0;
    for (int i = 0; i < 15; ++i)
        admitted += taken(admission, peer) ? 1 : 0;
    const std::size_t height = admission.connection_count();
    for (; admitted > 0; --admitted)
        leave(admission, peer);
    return height;
}

}  // namespace

TEST_CASE("one address has so many connections and not one more; another is not concerned") {
    Admission admission(
        {.connections_max = 100, .connections_per_address_max = 2, .connections_per_user_max = 1});
    const auto peer = address("192.0.2.1");
    CHECK(taken(admission, peer));
    CHECK(taken(admission, peer));
    CHECK_FALSE(taken(admission, peer));
    CHECK(taken(admission, address("192.0.2.2")));
    leave(admission, peer);
    CHECK(taken(admission, peer));
    CHECK(admission.connection_count() == 3);
}

TEST_CASE("the node has so many connections and not one more, from wherever") {
    Admission admission(
        {.connections_max = 2, .connections_per_address_max = 9, .connections_per_user_max = 1});
    CHECK(taken(admission, address("192.0.2.1")));
    CHECK(taken(admission, address("127.0.0.1")));
    CHECK_FALSE(taken(admission, address("192.0.2.3")));
    CHECK_FALSE(taken(admission, address("127.0.0.1")));
    admission.release(address("192.0.2.1"));
    CHECK(taken(admission, address("192.0.2.3")));
}

TEST_CASE("an IPv6 host counts by its /64, and an IPv4 address in IPv6 as itself") {
    Admission admission(
        {.connections_max = 100, .connections_per_address_max = 1, .connections_per_user_max = 1});
    CHECK(taken(admission, address("2001:db8:0:1::1")));
    CHECK_FALSE(taken(admission, address("2001:db8:0:1:ffff:ffff:ffff:ffff")));
    CHECK(taken(admission, address("2001:db8:0:2::1")));
    CHECK(taken(admission, address("::ffff:192.0.2.1")));
    CHECK_FALSE(taken(admission, address("192.0.2.1")));
    CHECK(taken(admission, address("::ffff:192.0.2.2")));
    admission.release(address("2001:db8:0:1::9"));
    CHECK(taken(admission, address("2001:db8:0:1::2")));
}

TEST_CASE("the loopback has no limit of its own, in any spelling") {
    Admission admission(
        {.connections_max = 100, .connections_per_address_max = 1, .connections_per_user_max = 1});
    for (const std::string_view peer : {"127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"}) {
        for (int i = 0; i < 3; ++i)
            CHECK(taken(admission, address(peer)));
    }
}

TEST_CASE("one user has so many connections and not one more") {
    Admission admission(
        {.connections_max = 9, .connections_per_address_max = 9, .connections_per_user_max = 2});
    const UserId ann = test::user_named("ann");
    CHECK(admission.admit(ann));
    CHECK(admission.admit(ann));
    CHECK_FALSE(admission.admit(ann));
    CHECK(admission.admit(test::user_named("bob")));
    admission.release(ann);
    CHECK(admission.admit(ann));
}

TEST_CASE("connections that say nothing are so many from an address and so many in all") {
    Admission admission({.pending_max = 3, .pending_per_address_max = 2});
    const auto silent = address("192.0.2.1");
    CHECK(taken(admission, silent));
    CHECK(taken(admission, silent));
    CHECK(admission.admit(silent, start) == ConnectionLimit::pending_connections_per_ip);
    CHECK(taken(admission, address("127.0.0.1")));
    CHECK(admission.pending_count() == 3);
    for (const std::string_view peer : {"192.0.2.2", "127.0.0.1", "::1"})
        CHECK(admission.admit(address(peer), start) == ConnectionLimit::pending_connections);
    admission.settle(silent);
    CHECK(taken(admission, silent));
    CHECK(admission.connection_count() == 4);
    leave(admission, silent);
    CHECK(admission.pending_count() == 2);
}

TEST_CASE("the loopback may have any number of connections that say nothing, up to the node's") {
    Admission admission({.pending_max = 100, .pending_per_address_max = 1});
    for (int i = 0; i < 100; ++i)
        CHECK(taken(admission, address("127.0.0.1")));
    CHECK_FALSE(taken(admission, address("127.0.0.1")));
}

TEST_CASE("an address opens so many connections a second, also when it closes them at once") {
    Admission admission({.accepts = rate(10, 3)});
    for (int i = 0; i < 3; ++i)
        visit(admission, "192.0.2.1");
    CHECK(admission.admit(address("192.0.2.1"), start) == ConnectionLimit::accepts_per_sec_per_ip);
    visit(admission, "192.0.2.2");
    visit(admission, "192.0.2.1", start + 100ms);
    CHECK_FALSE(taken(admission, address("192.0.2.1"), start + 100ms));
    for (int i = 0; i < 100; ++i)
        visit(admission, "127.0.0.1");
}

TEST_CASE("each limit is told by the name of its key") {
    Admission admission({.connections_max = 2, .connections_per_address_max = 1});
    CHECK(taken(admission, address("192.0.2.1")));
    CHECK(admission.admit(address("192.0.2.1"), start) == ConnectionLimit::connections_per_ip);
    CHECK(taken(admission, address("192.0.2.2")));
    CHECK(admission.admit(address("192.0.2.3"), start) == ConnectionLimit::connections);
    CHECK(admission.admit(address("127.0.0.1"), start) == ConnectionLimit::connections);
}

TEST_CASE("the connections of an address share a bucket of frames, the loopback has none") {
    Admission admission({.frames = rate(10, 2)});
    for (const std::string_view peer : {"2001:db8::1", "2001:db8::2", "127.0.0.1", "192.0.2.1"})
        REQUIRE(taken(admission, address(peer)));
    SharedTokenBucket* bucket = admission.frames_of(address("2001:db8::1"));
    REQUIRE(bucket != nullptr);
    CHECK(admission.frames_of(address("2001:db8::2")) == bucket);
    CHECK(admission.frames_of(address("192.0.2.1")) != bucket);
    CHECK(admission.frames_of(address("127.0.0.1")) == nullptr);
}

TEST_CASE("who leaves and comes back finds its bucket as it left it, until it is full again") {
    Admission admission({.accepts = test::no_limit, .frames = rate(10, 2)});
    const auto peer = address("192.0.2.1");
    REQUIRE(taken(admission, peer));
    CHECK_FALSE(admission.frames_of(peer)->take(start));
    CHECK_FALSE(admission.frames_of(peer)->take(start));
    leave(admission, peer);
    CHECK(admission.address_count() == 1);
    REQUIRE(taken(admission, peer, start + 1ms));
    CHECK(admission.frames_of(peer)->take(start + 1ms) == 99ms);
    leave(admission, peer);
    visit(admission, "127.0.0.1", start + 200ms - 1ns);
    CHECK(admission.address_count() == 1);
    visit(admission, "127.0.0.1", start + 200ms);
    CHECK(admission.address_count() == 0);
}

TEST_CASE("of addresses that are gone so many are remembered: those with the least left") {
    Admission admission({.idle_addresses_max = 2, .accepts = rate(1, 10)});
    for (const std::string_view peer : {"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"})
        visit(admission, peer);
    for (int i = 3; i < 200; ++i)
        visit(admission, "192.0.2." + std::to_string(i));
    CHECK(admission.address_count() == 2);
    for (int i = 0; i < 7; ++i)
        visit(admission, "192.0.2.1");
    CHECK_FALSE(taken(admission, address("192.0.2.1")));
    CHECK(admission.address_count() == 2);
}

TEST_CASE("long-poll sessions have the bounds of connections, beside those") {
    Admission admission(
        {.connections_max = 3, .connections_per_address_max = 2, .accepts = test::no_limit});
    const auto first = address("192.0.2.1");
    const auto second = address("192.0.2.2");
    REQUIRE(taken(admission, first));
    REQUIRE(taken(admission, second));
    CHECK(admission.admit_session(first));
    CHECK(admission.admit_session(first));
    CHECK_FALSE(admission.admit_session(first));
    CHECK(admission.admit_session(second));
    CHECK_FALSE(admission.admit_session(second));
    CHECK(taken(admission, first));
    admission.release_session(second);
    CHECK(admission.admit_session(address("127.0.0.1")));
    CHECK_FALSE(admission.admit_session(second));
}

TEST_CASE("an address is remembered while it has a long-poll session") {
    Admission admission({.accepts = rate(1, 10), .frames = rate(1, 10)});
    const auto peer = address("192.0.2.1");
    REQUIRE(taken(admission, peer));
    SharedTokenBucket* frames = admission.frames_of(peer);
    REQUIRE(admission.admit_session(peer));
    leave(admission, peer);
    visit(admission, "192.0.2.2", start + 1h);
    CHECK(admission.address_count() == 2);
    REQUIRE(taken(admission, peer, start + 1h));
    CHECK(admission.frames_of(peer) == frames);
    leave(admission, peer);
    admission.release_session(peer);
    visit(admission, "192.0.2.2", start + 2h);
    CHECK(admission.address_count() == 1);
}

TEST_CASE("counts are right when many threads come and go") {
    Admission admission(
        {.connections_max = 50,
         .connections_per_address_max = 20,
         .connections_per_user_max = 1,
         .accepts = test::no_limit});
    std::atomic<bool> exceeded = false;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            const auto peer = address("192.0.2." + std::to_string(i % 2));
            for (int round = 0; round < 200; ++round)
                exceeded = crowd(admission, peer) > 40 || exceeded;
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK_FALSE(exceeded);
    CHECK(admission.connection_count() == 0);
    CHECK(admission.pending_count() == 0);
}

}  // namespace chatx::node
