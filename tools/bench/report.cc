#include "tools/bench/report.h"

#include "node/version.h"
#include "proto/json.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace chatx::tools {

namespace {

using proto::json::Writer;

template <class... Values>
std::string formatted(const char* format, Values... values) {
    std::array<char, 256> line{};
    std::snprintf(line.data(), line.size(), format, values...);
    return line.data();
}

std::string three_digits(double value) {
    if (value == 0) return "0";
    const int digits_before = 1 + static_cast<int>(std::floor(std::log10(value)));
    return formatted("%.*f", std::clamp(3 - digits_before, 0, 4), value);
}

std::string spread(const std::optional<Summary>& ratio) {
    if (!ratio) return "";
    return formatted("%.2f (%.2f, %.2f)", ratio->median, ratio->lowest, ratio->highest);
}

std::string line(
    const std::string& name,
    const std::array<std::string, 3>& numbers,
    const std::string& comparison) {
    std::string text = formatted(
        "%-26s%10s%10s%10s   %s",
        name.c_str(),
        numbers[0].c_str(),
        numbers[1].c_str(),
        numbers[2].c_str(),
        comparison.c_str());
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
}

std::string side_line(const Result& result, std::size_t figure, const Side& side) {
    const auto found = summary(values(side, figure));
    if (!found) return line("  " + side.name, {"-", "-", "-"}, "-");
    const bool ours = &side == &result.sides.front();
    return line(
        "  " + side.name,
        {short_number(found->median), short_number(found->lowest), short_number(found->highest)},
        ours ? "" : spread(summary(ratios(result, figure, side))));
}

void write_number(Writer& writer, double value) {
    std::array<char, 40> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    writer.raw({digits.data(), static_cast<std::size_t>(end.ptr - digits.data())});
}

void write_member(Writer& writer, std::string_view name, double value) {
    writer.key(name);
    write_number(writer, value);
}

void write_member(Writer& writer, std::string_view name, std::string_view text) {
    writer.key(name);
    writer.string(text);
}

void write_values(Writer& writer, const std::vector<double>& rounds) {
    const auto found = summary(rounds);
    writer.begin_object();
    if (found) {
        write_member(writer, "median", found->median);
        write_member(writer, "lowest", found->lowest);
        write_member(writer, "highest", found->highest);
    }
    writer.key("rounds");
    writer.begin_array();
    for (const double value : rounds)
        write_number(writer, value);
    writer.end_array();
    writer.end_object();
}

void write_side(Writer& writer, const Result& result, std::size_t figure, const Side& side) {
    writer.begin_object();
    write_member(writer, "name", side.name);
    if (!side.missing.empty()) {
        write_member(writer, "missing", side.missing);
    } else {
        writer.key("values");
        write_values(writer, values(side, figure));
        if (&side != &result.sides.front()) {
            writer.key("ratio");
            write_values(writer, ratios(result, figure, side));
        }
    }
    writer.end_object();
}

void write_figure(Writer& writer, const Result& result, std::size_t figure) {
    writer.begin_object();
    write_member(writer, "key", result.figures[figure].key);
    write_member(writer, "name", result.figures[figure].name);
    write_member(writer, "better", result.figures[figure].more_is_better ? "more" : "less");
    writer.key("sides");
    writer.begin_array();
    for (const Side& side : result.sides)
        write_side(writer, result, figure, side);
    writer.end_array();
    writer.end_object();
}

void write_result(Writer& writer, const Result& result) {
    writer.begin_object();
    write_member(writer, "name", result.name);
    writer.key("parameters");
    writer.begin_object();
    for (const auto& [name, value] : result.parameters)
        write_member(writer, name, value);
    writer.end_object();
    writer.key("figures");
    writer.begin_array();
    for (std::size_t i = 0; i < result.figures.size(); ++i)
        write_figure(writer, result, i);
    writer.end_array();
    writer.end_object();
}

}  // namespace

std::string short_number(double value) {
    constexpr double million = 1e6;
    constexpr double thousand = 1e3;
    if (value >= million) return three_digits(value / million) + " M";
    if (value >= thousand) return three_digits(value / thousand) + " k";
    return three_digits(value);
}

std::string parameters_text(const Result& result) {
    std::string text;
    for (const auto& [name, value] : result.parameters)
        text += (text.empty() ? "" : ", ") + name + formatted(" %.15g", value);
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

std::string as_table(const Result& result, const Options& options) {
    std::string text = result.name + "\n" + parameters_text(result) + "\n";
    for (std::size_t i = 0; i < result.figures.size(); ++i) {
        text +=
            "\n"
            + line(result.figures[i].name, {"median", "lowest", "highest"}, "chatx is better by");
        for (const Side& side : result.sides)
            text += side_line(result, i, side);
    }
    text += formatted("\n%zu rounds of %g s for each side", options.rounds, options.seconds);
    for (const Side& side : result.sides) {
        if (!side.missing.empty()) text += "; " + side.name + ": " + side.missing;
    }
    return text + "\n";
}

std::string as_json(const std::vector<Result>& results, const Options& options) {
    std::string text;
    Writer writer(text);
    writer.begin_object();
    write_member(writer, "schema", "chatx.bench.v1");
    write_member(writer, "version", node::version);
    write_member(writer, "processors", static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)));
    write_member(writer, "rounds", static_cast<double>(options.rounds));
    write_member(writer, "seconds", options.seconds);
    writer.key("measurements");
    writer.begin_array();
    for (const Result& result : results)
        write_result(writer, result);
    writer.end_array();
    writer.end_object();
    return text + "\n";
}

}  // namespace chatx::tools
