#include "tools/chatxctl/table.h"

#include <doctest/doctest.h>

#include <string>

namespace chatx::tools {
namespace {

Table rooms() {
    return {
        .columns =
            {{.name = "room", .shrinks = true}, {.name = "seq", .number = true}, {.name = "state"}},
        .rows = {{"general", "7", "active"}, {"a room with quite a long name", "12345", "stored"}}};
}

TEST_CASE("columns line up, numbers on the right, and no line ends in spaces") {
    CHECK(
        aligned(rooms(), 80)
        == "room                             seq  state\n"
           "general                            7  active\n"
           "a room with quite a long name  12345  stored\n");
}

TEST_CASE("what does not fit is taken from the columns that shrink") {
    CHECK(
        aligned(rooms(), 30)
        == "room               seq  state\n"
           "general              7  active\n"
           "a room with qu…  12345  stored\n");
}

TEST_CASE("a terminal that is narrower than the rest of a table gets it all the same") {
    CHECK(
        aligned(rooms(), 10)
        == "room        seq  state\n"
           "general       7  active\n"
           "a room …  12345  stored\n");
}

TEST_CASE("a record has a line for each column") {
    Table table = rooms();
    table.rows.resize(1);
    CHECK(as_records(table, 80) == "room   general\nseq    7\nstate  active\n");
}

TEST_CASE(
    "tab-separated text begins with the names and keeps its columns, whatever the cells hold") {
    Table table = rooms();
    table.rows = {{"a\tb\nc", "", "x\x1b"}};
    CHECK(as_tsv(table) == "room\tseq\tstate\na\\tb\\nc\t\tx\\u001b\n");
}

TEST_CASE("an empty first cell keeps its place") {
    CHECK(tsv_line({"", "b", ""}) == "\tb\t\n");
}

}  // namespace
}  // namespace chatx::tools
