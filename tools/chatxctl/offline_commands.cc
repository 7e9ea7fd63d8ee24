#include "tools/chatxctl/offline_commands.h"

#include <chatx/errors.h>

#include "node/config.h"
#include "proto/json.h"
#include "proto/nearest.h"
#include "tools/chatxctl/text.h"

#include <boost/asio/ip/host_name.hpp>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::tools {

namespace json = proto::json;

namespace {

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable)
        variables.emplace_back(*variable);
    return variables;
}

node::Exit check(const std::string& file) {
    std::vector<std::string> arguments{"--check"};
    if (!file.empty()) arguments.insert(arguments.end(), {"--config", file});
    const auto variables = environment();
    auto outcome = node::load_config(
        {.arguments = arguments,
         .environment = variables,
         .read_file =
             [](const std::string& path) {
                 return node::read_file(path, node::config_file_size_max);
             },
         .version = {},
         .host_name = boost::asio::ip::host_name(),
         .user_id = ::geteuid(),
         .middlewares = {}});
    return std::get<node::Exit>(std::move(outcome));  // `--check` always ends the program.
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        lines.push_back(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(text.size(), lines.back().size() + 1));
    }
    return lines;
}

/// An answer that needed no node.
void begin_document(json::Writer& writer, std::string_view schema) {
    writer.begin_object();
    writer.key("schema");
    writer.string(schema);
    writer.key("coverage");
    writer.raw(R"({"nodes":0,"answered":0,"missing":[]})");
}

void write_lines(
    json::Writer& writer, std::string_view key, const std::vector<std::string_view>& lines) {
    writer.key(key);
    writer.begin_array();
    for (const std::string_view line : lines)
        writer.string(line);
    writer.end_array();
}

std::string errors_json(std::span<const ReasonInfo> infos) {
    std::string text;
    json::Writer writer(text);
    begin_document(writer, "chatx.errors.v1");
    writer.key("errors");
    writer.begin_array();
    for (const ReasonInfo& info : infos) {
        writer.begin_object();
        writer.key("reason");
        writer.string(info.text);
        writer.key("cause");
        writer.string(info.cause);
        writer.key("remedy");
        writer.string(info.remedy);
        writer.end_object();
    }
    writer.end_array();
    writer.end_object();
    return text;
}

std::string errors_text(std::span<const ReasonInfo> infos, std::size_t width) {
    std::string text;
    for (const ReasonInfo& info : infos) {
        if (!text.empty()) text += "\n";
        text += std::string(info.text) + "\n" + wrapped(info.cause, 4, width)
                + wrapped(info.remedy, 4, width);
    }
    return text;
}

ExitCode no_such_reason(const Output& out, const std::string& reason) {
    std::vector<std::string_view> names;
    for (const ReasonInfo& info : all_reasons())
        names.push_back(info.text);
    const auto near = proto::nearest(reason, names);
    return out.fail(
        {ExitCode::not_found,
         "there is no reason " + reason
             + (near ? "; did you mean " + std::string(*near) + "?"
                     : "; chatxctl errors lists all")});
}

}  // namespace

ExitCode config_check(const Output& out, const std::string& file) {
    const node::Exit exit = check(file);
    const bool good = exit.status == 0;
    const auto lines = lines_of(exit.text);
    if (out.json()) {
        std::string text;
        json::Writer writer(text);
        begin_document(writer, "chatx.config-check.v1");
        writer.key("good");
        writer.boolean(good);
        write_lines(writer, "problems", good ? std::vector<std::string_view>() : lines);
        write_lines(writer, "summary", good ? lines : std::vector<std::string_view>());
        writer.end_object();
        out.document(text);
    } else if (good) {
        out.document(exit.text);
    } else {
        for (const std::string_view line : lines)
            out.line(line);
    }
    return good ? ExitCode::ok : ExitCode::problems_found;
}

ExitCode errors(const Output& out, const std::string& reason) {
    std::span<const ReasonInfo> infos = all_reasons();
    if (!reason.empty()) {
        const auto found = std::ranges::find(infos, reason, &ReasonInfo::text);
        if (found == infos.end()) return no_such_reason(out, reason);
        infos = infos.subspan(static_cast<std::size_t>(found - infos.begin()), 1);
    }
    if (out.json()) {
        out.document(errors_json(infos));
    } else if (out.terminal()) {
        out.document(errors_text(infos, std::min<std::size_t>(out.width(), 80)));
    } else {
        Table table{
            .columns = {{.name = "reason"}, {.name = "cause"}, {.name = "remedy"}}, .rows = {}};
        for (const ReasonInfo& info : infos) {
            table.rows.push_back(
                {std::string(info.text), std::string(info.cause), std::string(info.remedy)});
        }
        out.table(table, {});
    }
    return ExitCode::ok;
}

}  // namespace chatx::tools
