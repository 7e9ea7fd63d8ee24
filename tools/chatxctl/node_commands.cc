#include "tools/chatxctl/node_commands.h"

#include "tools/chatxctl/list.h"
#include "tools/chatxctl/text.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace chatx::tools {

namespace json = proto::json;

namespace {

/// What a node takes in one request.
constexpr std::size_t replay_ids_max = 100;

std::string replay_body(std::span<const std::string> ids, const std::string& after) {
    std::string body;
    json::Writer writer(body);
    writer.begin_object();
    if (ids.empty()) {
        writer.key("all");
        writer.boolean(true);
        writer.key("after");
        writer.string(after);
    } else {
        writer.key("ids");
        writer.begin_array();
        for (const std::string& id : ids)
            writer.string(id);
        writer.end_array();
    }
    writer.end_object();
    return body;
}

/// How a replay went, over all its requests.
struct Replay {
    std::uint64_t done = 0;
    std::vector<json::Value> failed;
    std::vector<json::Value> missing;
    std::optional<json::Value> coverage;

    void add(const json::Value& answer) {
        if (const json::Value* count = answer.find("replayed"))
            done += count->as_uint64().value_or(0);
        for (const json::Value& item : items_of(answer, "failed"))
            failed.push_back(item);
        for (const json::Value& item : items_of(answer, "missing"))
            missing.push_back(item);
        if (const json::Value* of = answer.find("coverage")) coverage = *of;
    }
};

std::string to_json(const Replay& replay) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    writer.key("schema");
    writer.string("chatx.dead-letters-replayed.v1");
    if (replay.coverage) {
        writer.key("coverage");
        writer.value(*replay.coverage);
    }
    writer.key("replayed");
    writer.number(replay.done);
    writer.key("failed");
    writer.value(json::Value::array(replay.failed));
    writer.key("missing");
    writer.value(json::Value::array(replay.missing));
    writer.end_object();
    return text;
}

ExitCode print_replay(const Output& out, const Replay& replay) {
    if (out.json()) {
        out.document(to_json(replay));
    } else {
        Table table{
            .columns =
                {{.name = "replayed", .number = true},
                 {.name = "failed", .number = true},
                 {.name = "missing", .number = true}},
            .rows = {}};
        table.rows.push_back(
            {std::to_string(replay.done),
             std::to_string(replay.failed.size()),
             std::to_string(replay.missing.size())});
        out.record(table);
    }
    for (const json::Value& failure : replay.failed) {
        out.note(
            "letter " + text_of(failure, "id") + " is still there: " + text_of(failure, "error"));
    }
    for (const json::Value& id : replay.missing) {
        if (const std::string* text = id.as_string()) out.note("there is no letter " + *text);
    }
    if (!replay.failed.empty()) return ExitCode::failed;
    return replay.missing.empty() ? ExitCode::ok : ExitCode::not_found;
}

Table node_table(const json::Value& answer) {
    Table table;
    std::vector<std::string> row;
    const auto add = [&](const char* name, std::string value) {
        table.columns.push_back({.name = name});
        row.push_back(std::move(value));
    };
    for (const char* key : {"name", "version", "process", "epoch", "ready"})
        add(key, text_of(answer, key));
    add("started", time_of(answer, "started_at"));
    const json::Value* uptime = answer.find("uptime_s");
    add("uptime", span_text(uptime == nullptr ? 0 : uptime->as_uint64().value_or(0)));
    for (const char* key :
         {"shards", "connections", "rooms", "delivery_backlog", "url", "admin_socket", "store"}) {
        add(key, text_of(answer, key));
    }
    table.rows.push_back(std::move(row));
    return table;
}

}  // namespace

ExitCode node_info(const Client& client, const Output& out) {
    const auto outcome = client.get("/v1/node");
    if (const auto* failure = std::get_if<Failure>(&outcome)) return out.fail(*failure);
    const auto& reply = std::get<Reply>(outcome);
    if (!reply.ok()) return out.refused(reply);
    if (out.json()) {
        out.document(reply.body);
    } else {
        out.record(node_table(reply.value));
    }
    return out.done(reply.value);
}

ExitCode config_show(const Client& client, const Output& out) {
    return print_list(
        client,
        out,
        {.path = "/v1/config",
         .parameters = {},
         .key = "config",
         .thing = "keys",
         .after = {},
         .limit = 0,
         .table =
             {.columns =
                  {{.name = "key"},
                   {.name = "value", .shrinks = true},
                   {.name = "origin", .shrinks = true}},
              .rows = {}},
         .row = [](const json::Value& key) -> std::vector<std::string> {
             return {text_of(key, "key"), text_of(key, "value"), text_of(key, "origin")};
         }});
}

ExitCode dead_letter_list(const Client& client, const Output& out, const PageOptions& options) {
    return print_list(
        client,
        out,
        {.path = "/v1/dead-letters",
         .parameters = {},
         .key = "dead_letters",
         .thing = "dead letters",
         .after = options.after,
         .limit = options.limit,
         .table =
             {.columns =
                  {{.name = "id", .number = true},
                   {.name = "failed"},
                   {.name = "target"},
                   {.name = "room", .shrinks = true},
                   {.name = "seq", .number = true},
                   {.name = "tries", .number = true},
                   {.name = "error", .shrinks = true}},
              .rows = {}},
         .row = [](const json::Value& letter) -> std::vector<std::string> {
             return {
                 text_of(letter, "id"),
                 time_of(letter, "failed_at"),
                 text_of(letter, "target"),
                 text_of(letter, "room"),
                 text_of(letter, "seq"),
                 text_of(letter, "attempts"),
                 text_of(letter, "error")};
         }});
}

ExitCode dead_letter_replay(
    const Client& client, const Output& out, const std::vector<std::string>& ids) {
    Replay replay;
    std::span<const std::string> rest = ids;
    std::string after = "0";
    do {
        const auto part = rest.first(std::min(rest.size(), replay_ids_max));
        rest = rest.subspan(part.size());
        auto outcome = client.post("/v1/dead-letters/replay", replay_body(part, after));
        if (const auto* failure = std::get_if<Failure>(&outcome)) return out.fail(*failure);
        const auto& reply = std::get<Reply>(outcome);
        if (!reply.ok()) return out.refused(reply);
        replay.add(reply.value);
        after = text_of(reply.value, "next");
    } while (ids.empty() ? !after.empty() : !rest.empty());
    return print_replay(out, replay);
}

}  // namespace chatx::tools
