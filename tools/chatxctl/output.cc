#include "tools/chatxctl/output.h"

#include "tools/chatxctl/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace chatx::tools {

namespace json = proto::json;

namespace {

constexpr std::size_t width_default = 80;
constexpr std::size_t width_least = 40;

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < width_least)
        return width_default;
    return size.ws_col;
}

void print(std::FILE* to, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), to);
}

ExitCode code_of(unsigned status) {
    switch (status) {
        case 400:
            return ExitCode::usage;
        case 403:
            return ExitCode::not_allowed;
        case 404:
            return ExitCode::not_found;
        case 409:
            return ExitCode::conflict;
        case 504:
            return ExitCode::partial;
        default:
            return ExitCode::failed;
    }
}

}  // namespace

Output::Output(bool json)
    : json_(json), terminal_(::isatty(STDOUT_FILENO) == 1), width_(terminal_width()) {}

void Output::table(const Table& table, std::string_view nothing) const {
    if (!terminal_) return print(stdout, as_tsv(table));
    print(stdout, table.rows.empty() ? std::string(nothing) + "\n" : aligned(table, width_));
}

void Output::record(const Table& table) const {
    print(stdout, terminal_ ? as_records(table, width_) : as_tsv(table));
}

void Output::document(std::string_view json) const {
    print(stdout, json);
    if (!json.ends_with('\n')) print(stdout, "\n");
}

void Output::line(std::string_view text) const {
    print(stdout, text);
    print(stdout, "\n");
    std::fflush(stdout);
}

void Output::note(std::string_view text) const {
    print(stderr, "chatxctl: " + shown(text) + "\n");
}

ExitCode Output::fail(const Failure& failure) const {
    note(failure.text);
    return failure.code;
}

ExitCode Output::refused(const Reply& reply) const {
    if (json_) document(reply.body);
    const json::Value* error = reply.value.find("error");
    if (error == nullptr)
        return fail(
            {ExitCode::failed, "the node answered with status " + std::to_string(reply.status)});
    return fail(
        {code_of(reply.status), text_of(*error, "reason") + ": " + text_of(*error, "message")});
}

ExitCode Output::done(const json::Value& answer) const {
    const json::Value* coverage = answer.find("coverage");
    if (coverage == nullptr || items_of(*coverage, "missing").empty()) return ExitCode::ok;
    std::string names;
    for (const json::Value& name : items_of(*coverage, "missing")) {
        if (const std::string* text = name.as_string())
            names += (names.empty() ? "" : ", ") + *text;
    }
    return fail(
        {ExitCode::partial,
         "the answer is not complete: parts of " + names + " did not answer in time"});
}

std::string text_of(const json::Value& object, std::string_view key) {
    const json::Value* member = object.find(key);
    if (member == nullptr) return {};
    if (const std::string* text = member->as_string()) return *text;
    if (const std::string* number = member->number_text()) return *number;
    if (const auto truth = member->as_bool()) return *truth ? "yes" : "no";
    return {};
}

std::string time_of(const json::Value& object, std::string_view key) {
    const json::Value* member = object.find(key);
    const auto milliseconds = member == nullptr ? std::nullopt : member->as_int64();
    return milliseconds ? local_time(*milliseconds) : std::string();
}

const std::vector<json::Value>& items_of(const json::Value& object, std::string_view key) {
    static const std::vector<json::Value> none;
    const json::Value* member = object.find(key);
    const auto* items = member == nullptr ? nullptr : member->as_array();
    return items == nullptr ? none : *items;
}

}  // namespace chatx::tools
