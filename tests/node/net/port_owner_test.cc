#include "node/net/port_owner.h"

#include "tests/node/net/net_node.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

namespace chatx::node::test {

TEST_CASE(
    "the owner of a port is this process while it listens, and nobody that can be named before") {
    std::uint16_t port = 0;
    {
        NetNode node({.gateway = {}, .rooms = {}, .adapters = {}, .checks = {}});
        port = node.port();
        CHECK(port_owner(port).ends_with(" (process " + std::to_string(::getpid()) + ")"));
    }
    CHECK(port_owner(port) == "another process");
}

}  // namespace chatx::node::test
