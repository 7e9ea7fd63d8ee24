#include "node/net/admission.h"

#include "tests/support/messages.h"

#include <boost/asio/ip/address.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

namespace chatx::node {

namespace {

boost::asio::ip::address address(std::string_view text) {
    return boost::asio::ip::make_address(text);
}

}  // namespace

TEST_CASE("one address has so many connections and not one more; another is not concerned") {
    Admission admission(
        {.connections_max = 100, .connections_per_address_max = 2, .connections_per_user_max = 1});
    const auto peer = address("192.0.2.1");
    CHECK(admission.admit(peer));
    CHECK(admission.admit(peer));
    CHECK_FALSE(admission.admit(peer));
    CHECK(admission.admit(address("192.0.2.2")));
    admission.release(peer);
    CHECK(admission.admit(peer));
    CHECK(admission.connection_count() == 3);
}

TEST_CASE("the node has so many connections and not one more, from wherever") {
    Admission admission(
        {.connections_max = 2, .connections_per_address_max = 9, .connections_per_user_max = 1});
    CHECK(admission.admit(address("192.0.2.1")));
    CHECK(admission.admit(address("127.0.0.1")));
    CHECK_FALSE(admission.admit(address("192.0.2.3")));
    CHECK_FALSE(admission.admit(address("127.0.0.1")));
    admission.release(address("192.0.2.1"));
    CHECK(admission.admit(address("192.0.2.3")));
}

TEST_CASE("an IPv6 host counts by its /64, and an IPv4 address in IPv6 as itself") {
    Admission admission(
        {.connections_max = 100, .connections_per_address_max = 1, .connections_per_user_max = 1});
    CHECK(admission.admit(address("2001:db8:0:1::1")));
    CHECK_FALSE(admission.admit(address("2001:db8:0:1:ffff:ffff:ffff:ffff")));
    CHECK(admission.admit(address("2001:db8:0:2::1")));
    CHECK(admission.admit(address("::ffff:192.0.2.1")));
    CHECK_FALSE(admission.admit(address("192.0.2.1")));
    CHECK(admission.admit(address("::ffff:192.0.2.2")));
    admission.release(address("2001:db8:0:1::9"));
    CHECK(admission.admit(address("2001:db8:0:1::2")));
}

TEST_CASE("the loopback has no limit of its own, in any spelling") {
    Admission admission(
        {.connections_max = 100, .connections_per_address_max = 1, .connections_per_user_max = 1});
    for (const std::string_view peer : {"127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"}) {
        for (int i = 0; i < 3; ++i)
            CHECK(admission.admit(address(peer)));
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

TEST_CASE("counts are right when many threads come and go") {
    Admission admission(
        {.connections_max = 50, .connections_per_address_max = 20, .connections_per_user_max = 1});
    std::atomic<bool> exceeded = false;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            const auto peer = address("192.0.2." + std::to_string(i % 2));
            for (int round = 0; round < 200; ++round) {
                int admitted = 0;
                for (int j = 0; j < 15; ++j)
                    admitted += admission.admit(peer) ? 1 : 0;
                if (admission.connection_count() > 40) exceeded = true;
                for (; admitted > 0; --admitted)
                    admission.release(peer);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK_FALSE(exceeded);
    CHECK(admission.connection_count() == 0);
}

}  // namespace chatx::node
