#include <chatx/adapters.h>

#include <doctest/doctest.h>

namespace chatx {

TEST_CASE("actions have the names that rules use") {
    CHECK(to_text(AuthAction::join) == "join");
    CHECK(to_text(AuthAction::subscribe) == "subscribe");
    CHECK(to_text(AuthAction::send) == "send");
}

}  // namespace chatx
