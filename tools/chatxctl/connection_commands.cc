#include "tools/chatxctl/connection_commands.h"

#include "tools/chatxctl/list.h"

#include <utility>
#include <vector>

namespace chatx::tools {

namespace json = proto::json;

ExitCode connection_list(
    const Client& client, const Output& out, const PageOptions& options, bool slow) {
    return print_list(
        client,
        out,
        {.path = "/v1/connections",
         .parameters = {{"order", slow ? "outbox" : "id"}},
         .key = "connections",
         .thing = "connections",
         .after = options.after,
         .limit = options.limit,
         .table =
             {.columns =
                  {{.name = "id"},
                   {.name = "user", .shrinks = true},
                   {.name = "peer", .shrinks = true},
                   {.name = "rooms", .number = true},
                   {.name = "outbox", .number = true},
                   {.name = "waiting", .number = true},
                   {.name = "refused", .number = true},
                   {.name = "connected"}},
              .rows = {}},
         .row = [](const json::Value& connection) -> std::vector<std::string> {
             return {
                 text_of(connection, "id"),
                 text_of(connection, "user"),
                 text_of(connection, "peer"),
                 text_of(connection, "rooms"),
                 text_of(connection, "outbox_bytes"),
                 text_of(connection, "waiting_ms"),
                 text_of(connection, "refused"),
                 time_of(connection, "connected_at")};
         }});
}

ExitCode connection_info(const Client& client, const Output& out, const std::string& id) {
    return print_answer(out, client.get("/v1/connection", {{"id", id}}), [&](const auto& answer) {
        Table table;
        std::vector<std::string> row;
        const auto add = [&](const char* name, std::string value) {
            table.columns.push_back({.name = name});
            row.push_back(std::move(value));
        };
        for (const char* key : {"id", "user", "peer", "transport", "version"})
            add(key, text_of(answer, key));
        add("connected", time_of(answer, "connected_at"));
        for (const char* key :
             {"outbox_bytes", "waiting_ms", "frames_in", "refused", "strikes", "gaps"})
            add(key, text_of(answer, key));
        std::string topics;
        for (const json::Value& topic : items_of(answer, "topics")) {
            if (const std::string* name = topic.as_string())
                topics += (topics.empty() ? "" : ", ") + *name;
        }
        add("rooms", text_of(answer, "rooms"));
        add("topics", std::move(topics));
        table.rows.push_back(std::move(row));
        out.record(table);
    });
}

ExitCode connection_close(const Client& client, const Output& out, const std::string& id) {
    std::string body;
    json::Writer writer(body);
    writer.begin_object();
    writer.key("id");
    writer.string(id);
    writer.end_object();
    return print_answer(out, client.post("/v1/connection/close", body), [&](const auto& answer) {
        out.record({.columns = {{.name = "closed"}}, .rows = {{text_of(answer, "id")}}});
    });
}

}  // namespace chatx::tools
