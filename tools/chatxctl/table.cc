#include "tools/chatxctl/table.h"

#include "tools/chatxctl/text.h"

#include <algorithm>
#include <numeric>

namespace chatx::tools {

namespace {

constexpr std::size_t gap = 2;           // Between columns.
constexpr std::size_t shrunk_least = 8;  // A column is not made narrower.

using Widths = std::vector<std::size_t>;

Widths natural_widths(const Table& table) {
    Widths widths;
    for (const Table::Column& column : table.columns)
        widths.push_back(columns_of(column.name));
    for (const auto& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(shown(row[i])));
    }
    return widths;
}

/// Takes columns off the widest that may shrink, one by one, until the line fits.
void fit(const Table& table, Widths& widths, std::size_t width) {
    std::size_t total = std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
    while (total > width) {
        std::size_t* widest = nullptr;
        for (std::size_t i = 0; i < widths.size(); ++i) {
            if (!table.columns[i].shrinks || widths[i] <= shrunk_least) continue;
            if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
        }
        if (widest == nullptr) return;
        --*widest;
        --total;
    }
}

std::string line_of(
    const Table& table, const std::vector<std::string>& cells, const Widths& widths) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i > 0) line += std::string(gap, ' ');
        line += padded(clipped(shown(cells[i]), widths[i]), widths[i], table.columns[i].number);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

std::vector<std::string> names_of(const Table& table) {
    std::vector<std::string> names;
    for (const Table::Column& column : table.columns)
        names.push_back(column.name);
    return names;
}

}  // namespace

std::string aligned(const Table& table, std::size_t width) {
    Widths widths = natural_widths(table);
    fit(table, widths, width);
    std::string text = line_of(table, names_of(table), widths);
    for (const auto& row : table.rows)
        text += line_of(table, row, widths);
    return text;
}

std::string as_records(const Table& table, std::size_t width) {
    std::size_t name_width = 0;
    for (const Table::Column& column : table.columns)
        name_width = std::max(name_width, columns_of(column.name));
    const std::size_t rest = std::max(shrunk_least, width - std::min(width, name_width + gap));
    std::string text;
    for (const auto& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += padded(table.columns[i].name, name_width + gap) + clipped(shown(row[i]), rest)
                    + "\n";
        }
    }
    return text;
}

std::string as_tsv(const Table& table) {
    std::string text = tsv_line(names_of(table));
    for (const auto& row : table.rows)
        text += tsv_line(row);
    return text;
}

std::string tsv_line(const std::vector<std::string>& cells) {
    std::string line;
    for (const std::string& cell : cells) {
        if (!line.empty() || &cell != &cells.front()) line += '\t';
        line += shown(cell);
    }
    return line + "\n";
}

}  // namespace chatx::tools
