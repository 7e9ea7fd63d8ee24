#include "tools/bench/plot.h"

#include "tools/bench/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace chatx::tools {

namespace {

// Of a side: a line of words, and under it the bar.
constexpr double bar_width = 460;
constexpr double margin = 4;  // A dot at either end is whole.
constexpr double words_height = 18;
constexpr double bar_height = 14;
constexpr double row_height = 42;

constexpr std::string_view page_head = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>chatx-bench</title>
<style>
:root { --ground: #fff; --text: #1d2430; --quiet: #5b6675; --line: #d8dde5;
        --chatx: #2563c9; --floor: #7c8796; --bun: #b45d11; --mark: #1d2430; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14181f; --text: #e6eaf0; --quiet: #9aa5b4; --line: #323b48;
          --chatx: #6ea3f5; --floor: #8792a2; --bun: #e5a160; --mark: #f4f6f9; } }
body { margin: 0 auto; padding: 24px 16px 48px; max-width: 600px; background: var(--ground); color: var(--text);
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 36px 0 0; padding-top: 16px; border-top: 1px solid var(--line); }
h3 { font-size: 15px; margin: 18px 0 2px; }
p { margin: 2px 0; color: var(--quiet); }
svg { display: block; width: 100%; height: auto; }
text { fill: var(--quiet); font-size: 13px; }
.name { fill: var(--text); font-weight: 600; }
.chatx { fill: var(--chatx); } .floor { fill: var(--floor); } .bun { fill: var(--bun); }
.spread { stroke: var(--mark); stroke-width: 1.5; fill: none; }
.round { fill: var(--ground); stroke: var(--mark); }
</style>
</head>
<body>
)html";

std::string number(double value) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
}

std::string ratio_text(double value) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.2f", value);
    return text.data();
}

/// One side of a figure, in words.
std::string in_words(const Result& result, std::size_t figure, const Side& side) {
    const auto found = summary(values(side, figure));
    if (!found) return "- " + side.missing;
    std::string text = short_number(found->median) + " (" + short_number(found->lowest) + ", "
                       + short_number(found->highest) + ")";
    if (const auto ratio = summary(ratios(result, figure, side));
        ratio && side.name != result.sides.front().name)
        text += ", chatx × " + ratio_text(ratio->median);
    return text;
}

double largest(const Result& result, std::size_t figure) {
    double value = 0;
    for (const Side& side : result.sides) {
        if (const auto found = summary(values(side, figure)))
            value = std::max(value, found->highest);
    }
    return value > 0 ? value : 1;
}

/// What stands above a bar.
std::string words_above(const Side& side, const std::string& words, double y) {
    return "<text x=\"" + number(margin) + "\" y=\"" + number(y) + "\"><tspan class=\"name\">"
           + side.name + "</tspan> " + words + "</text>\n";
}

/// A bar as long as the median, a line from the lowest to the highest, a dot for each round.
std::string bar(const Side& side, std::size_t figure, double y, double scale) {
    const auto found = summary(values(side, figure));
    if (!found) return {};
    const double middle = y + bar_height / 2;
    const auto place = [&](double value) { return number(margin + value * scale); };
    std::string text = "<rect class=\"" + side.name + "\" x=\"" + number(margin) + "\" y=\""
                       + number(y) + "\" width=\"" + number(found->median * scale) + "\" height=\""
                       + number(bar_height) + "\" rx=\"2\"/>\n";
    text += "<path class=\"spread\" d=\"M" + place(found->lowest) + " " + number(middle) + "H"
            + place(found->highest) + "\"/>\n";
    for (const double value : values(side, figure)) {
        text += "<circle class=\"round\" cx=\"" + place(value) + "\" cy=\"" + number(middle)
                + "\" r=\"2.5\"/>\n";
    }
    return text;
}

std::string drawing(const Result& result, std::size_t figure) {
    const double scale = bar_width / largest(result, figure);
    std::string title = result.name + ", " + result.figures[figure].name + ": ";
    std::string rows;
    for (std::size_t i = 0; i < result.sides.size(); ++i) {
        const Side& side = result.sides[i];
        const double y = row_height * static_cast<double>(i) + words_height;
        const std::string words = in_words(result, figure, side);
        title += (i == 0 ? "" : "; ") + side.name + " " + words;
        rows += words_above(side, words, y - margin);
        rows += bar(side, figure, y, scale);
    }
    const std::string id = result.name + "-" + result.figures[figure].key;
    return "<svg viewBox=\"0 0 " + number(bar_width + 2 * margin) + " "
           + number(row_height * static_cast<double>(result.sides.size())) + "\" role=\"img\" "
           + "aria-labelledby=\"" + id + "\">\n<title id=\"" + id + "\">" + title + "</title>\n"
           + rows + "</svg>\n";
}

}  // namespace

std::string as_page(const std::vector<Result>& results, const Options& options) {
    std::string page(page_head);
    page += "<h1>chatx-bench</h1>\n<p>" + std::to_string(options.rounds)
            + " rounds, in which each side has its turn; a bar is the median, its line goes from "
              "the lowest to the highest round. chatx × tells how many times as good chatx is. "
              "CPU time is that of the server alone.</p>\n";
    for (const Result& result : results) {
        page += "<h2>" + result.name + "</h2>\n<p>" + parameters_text(result) + "</p>\n";
        for (std::size_t i = 0; i < result.figures.size(); ++i) {
            const Figure& figure = result.figures[i];
            page += "<h3>" + figure.name + (figure.more_is_better ? "" : ", less is better")
                    + "</h3>\n" + drawing(result, i);
        }
    }
    return page + "</body>\n</html>\n";
}

}  // namespace chatx::tools
