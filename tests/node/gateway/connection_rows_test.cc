#include "node/gateway/connection_rows.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace chatx::node {
namespace {

ConnectionRow row(std::uint16_t shard, std::uint64_t number, std::size_t outbox_bytes = 0) {
    ConnectionRow row;
    row.id = {shard, number};
    row.outbox_bytes = outbox_bytes;
    return row;
}

std::vector<std::string> ids(const ConnectionRows& rows) {
    std::vector<std::string> ids;
    for (const ConnectionRow& each : rows.rows)
        ids.push_back(to_text(each.id));
    return ids;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a connection is named by its shard and number, and by nothing else") {
    CHECK(to_text(ConnectionId{3, 17}) == "3-17");
    CHECK(parse_connection_id("3-17") == ConnectionId{3, 17});
    for (const std::string_view text :
         {"", "3", "-", "3-", "-17", "3-17x", "x-1", "70000-1", "1--1"})
        CHECK_FALSE(parse_connection_id(text));
}

TEST_CASE("pages of shards become one in the order of ids, and it is told whether there are more") {
    const ConnectionPage page{.order = ConnectionPage::Order::id, .after = {}, .limit = 3};
    const auto merged = merge_rows({{row(1, 1), row(1, 2)}, {row(0, 5), row(0, 10)}}, page);
    CHECK(ids(merged) == Ids{"0-5", "0-10", "1-1"});
    CHECK(merged.more);
    CHECK_FALSE(merge_rows({{row(1, 1)}, {row(0, 5), row(0, 10)}}, page).more);
    CHECK(merge_rows({}, page).rows.empty());
}

TEST_CASE("by outbox, whoever has the most to read stands first") {
    const ConnectionPage page{.order = ConnectionPage::Order::outbox, .after = {}, .limit = 3};
    const auto merged =
        merge_rows({{row(1, 2, 70), row(1, 1, 5)}, {row(0, 5, 9000), row(0, 10, 5)}}, page);
    CHECK(ids(merged) == Ids{"0-5", "1-2", "0-10"});
}

}  // namespace chatx::node
