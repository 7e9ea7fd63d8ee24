#include "tools/chatxctl/room_commands.h"

#include "tools/chatxctl/list.h"
#include "tools/chatxctl/text.h"

#include <utility>

namespace chatx::tools {

namespace json = proto::json;

namespace {

constexpr std::size_t seq_width = 6;
constexpr std::size_t user_width = 12;

Table message_table() {
    return {
        .columns =
            {{.name = "time"},
             {.name = "seq", .number = true},
             {.name = "user", .shrinks = true},
             {.name = "content", .shrinks = true},
             {.name = "id"}},
        .rows = {}};
}

std::vector<std::string> message_row(const json::Value& message) {
    return {
        time_of(message, "inserted_at"),
        text_of(message, "seq"),
        text_of(message, "user_id"),
        text_of(message, "content"),
        text_of(message, "id")};
}

void print_messages(const Output& out, const json::Value& answer) {
    Table table = message_table();
    for (const json::Value& message : items_of(answer, "messages"))
        table.rows.push_back(message_row(message));
    out.table(table, "There are no messages.");
}

/// Prints what a room says as it comes, one line for each message, none of it cut.
class Follower {
public:
    explicit Follower(const Output& out) : out_(out) {}

    void on_line(std::string_view line) {
        if (out_.json()) return out_.line(line);
        const auto parsed = parser_.parse(line);
        const auto* value = std::get_if<json::Value>(&parsed);
        if (value == nullptr) return;
        if (const json::Value* message = value->find("message")) return print(*message);
        const std::string gap = text_of(*value, "gap");
        if (!gap.empty()) out_.note("too slow: " + gap + " messages were left out here");
    }

private:
    void print(const json::Value& message) {
        if (!out_.terminal()) {
            if (!std::exchange(begun_, true)) out_.line("time\tseq\tuser\tcontent\tid");
            std::string line = tsv_line(message_row(message));
            line.pop_back();
            return out_.line(line);
        }
        out_.line(
            time_of(message, "inserted_at") + "  "
            + padded(text_of(message, "seq"), seq_width, true) + "  "
            + padded(shown(text_of(message, "user_id")), user_width) + "  "
            + shown(text_of(message, "content")));
    }

    const Output& out_;
    json::Parser parser_;
    bool begun_ = false;
};

}  // namespace

ExitCode room_list(const Client& client, const Output& out, const PageOptions& options) {
    return print_list(
        client,
        out,
        {.path = "/v1/rooms",
         .parameters = {},
         .key = "rooms",
         .thing = "rooms",
         .after = options.after,
         .limit = options.limit,
         .table =
             {.columns =
                  {{.name = "room", .shrinks = true},
                   {.name = "state"},
                   {.name = "owner", .shrinks = true},
                   {.name = "seq", .number = true},
                   {.name = "users", .number = true},
                   {.name = "listeners", .number = true},
                   {.name = "last message"}},
              .rows = {}},
         .row = [](const json::Value& room) -> std::vector<std::string> {
             return {
                 text_of(room, "room"),
                 text_of(room, "state"),
                 text_of(room, "owner"),
                 text_of(room, "seq"),
                 text_of(room, "users"),
                 text_of(room, "listeners"),
                 time_of(room, "last_inserted_at")};
         }});
}

ExitCode room_info(const Client& client, const Output& out, const std::string& room) {
    return print_answer(
        out, client.get("/v1/room", {{"room", room}}), [&](const json::Value& answer) {
            Table table;
            std::vector<std::string> row;
            for (const char* key :
                 {"room",
                  "slot",
                  "owner",
                  "state",
                  "epoch",
                  "seq",
                  "users",
                  "connections",
                  "listeners",
                  "queue",
                  "memory_bytes"}) {
                table.columns.push_back({.name = key});
                row.push_back(text_of(answer, key));
            }
            table.columns.push_back({.name = "last_message"});
            row.push_back(time_of(answer, "last_inserted_at"));
            table.rows.push_back(std::move(row));
            out.record(table);
        });
}

ExitCode room_where(const Client& client, const Output& out, const std::string& room) {
    return print_answer(
        out, client.get("/v1/room/where", {{"room", room}}), [&](const json::Value& answer) {
            std::string replicas;
            for (const json::Value& replica : items_of(answer, "replicas")) {
                if (const std::string* name = replica.as_string())
                    replicas += (replicas.empty() ? "" : ",") + *name;
            }
            Table table;
            for (const char* key : {"room", "slot", "owner", "replicas", "epoch", "seq", "state"}) {
                table.columns.push_back({.name = key});
            }
            table.rows.push_back(
                {text_of(answer, "room"),
                 text_of(answer, "slot"),
                 text_of(answer, "owner"),
                 replicas,
                 text_of(answer, "epoch"),
                 text_of(answer, "seq"),
                 text_of(answer, "state")});
            out.record(table);
        });
}

ExitCode room_members(
    const Client& client, const Output& out, const std::string& room, const PageOptions& options) {
    return print_list(
        client,
        out,
        {.path = "/v1/room/members",
         .parameters = {{"room", room}},
         .key = "members",
         .thing = "members",
         .after = options.after,
         .limit = options.limit,
         .table =
             {.columns =
                  {{.name = "user", .shrinks = true},
                   {.name = "connections", .number = true},
                   {.name = "online since"}},
              .rows = {}},
         .row = [](const json::Value& member) -> std::vector<std::string> {
             return {
                 text_of(member, "user"),
                 text_of(member, "connections"),
                 time_of(member, "online_at")};
         }});
}

ExitCode room_history(const Client& client, const Output& out, const HistoryOptions& options) {
    Parameters parameters{{"room", options.room}, {"limit", std::to_string(options.limit)}};
    if (options.after) parameters.emplace_back("after", std::to_string(*options.after));
    if (options.before) parameters.emplace_back("before", std::to_string(*options.before));
    return print_answer(
        out, client.get("/v1/room/history", parameters), [&](const json::Value& answer) {
            print_messages(out, answer);
            if (text_of(answer, "more") == "yes")
                out.note("there are more messages: --before SEQ or --after SEQ");
        });
}

ExitCode room_tail(const Client& client, const Output& out, const TailOptions& options) {
    if (!options.follow) {
        const Parameters latest{
            {"room", options.room}, {"limit", std::to_string(options.messages)}};
        return print_answer(
            out, client.get("/v1/room/history", latest), [&](const json::Value& answer) {
                print_messages(out, answer);
            });
    }
    Follower follower(out);
    const Parameters parameters{
        {"room", options.room}, {"history", std::to_string(options.messages)}};
    const auto outcome = client.follow(
        "/v1/room/tail", parameters, [&](std::string_view line) { follower.on_line(line); });
    if (const auto* failure = std::get_if<Failure>(&outcome)) return out.fail(*failure);
    const auto& reply = std::get<Reply>(outcome);
    return reply.ok() ? ExitCode::ok : out.refused(reply);
}

ExitCode room_reset(const Client& client, const Output& out, const std::string& room) {
    std::string body;
    json::Writer writer(body);
    writer.begin_object();
    writer.key("room");
    writer.string(room);
    writer.end_object();
    return print_answer(out, client.post("/v1/room/reset", body), [&](const json::Value& answer) {
        out.record(
            {.columns = {{.name = "room"}, {.name = "memberships", .number = true}},
             .rows = {{text_of(answer, "room"), text_of(answer, "memberships")}}});
    });
}

ExitCode room_send(const Client& client, const Output& out, const SendOptions& options) {
    std::string body;
    json::Writer writer(body);
    writer.begin_object();
    for (const auto& [key, text] :
         {std::pair<std::string_view, std::string_view>{"room", options.room},
          {"user", options.user},
          {"content", options.content},
          {"client_id", options.client_id}}) {
        writer.key(key);
        writer.string(text);
    }
    writer.end_object();
    return print_answer(out, client.post("/v1/room/send", body), [&](const json::Value& answer) {
        Table table;
        std::vector<std::string> row;
        for (const char* key : {"room", "id", "seq", "epoch"}) {
            table.columns.push_back({.name = key});
            row.push_back(text_of(answer, key));
        }
        table.columns.push_back({.name = "time"});
        row.push_back(time_of(answer, "inserted_at"));
        table.rows.push_back(std::move(row));
        out.record(table);
    });
}

}  // namespace chatx::tools
