#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace chatx::tools {

/// Rows for people or for other programs. Cells hold texts as they are; what is printed is escaped.
struct Table {
    struct Column {
        std::string name;
        bool number = false;   // Lined up on the right.
        bool shrinks = false;  // Cut where the terminal is too narrow.
    };

    std::vector<Column> columns;
    std::vector<std::vector<std::string>> rows;  // A cell for each column.
};

/// Lined up under their names, no line longer than `width` as far as columns that shrink allow.
std::string aligned(const Table& table, std::size_t width);

/// A line for each column of each row: its name, its value.
std::string as_records(const Table& table, std::size_t width);

/// Tab-separated, the names first.
std::string as_tsv(const Table& table);

/// One line of that form.
std::string tsv_line(const std::vector<std::string>& cells);

}  // namespace chatx::tools
