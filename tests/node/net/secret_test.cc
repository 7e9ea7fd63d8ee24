#include "node/net/secret.h"

#include <doctest/doctest.h>

#include <set>

namespace chatx::node {

TEST_CASE("no two secrets are the same") {
    std::set<Secret> secrets;
    for (int i = 0; i < 1000; ++i)
        CHECK(secrets.insert(draw_secret()).second);
}

}  // namespace chatx::node
