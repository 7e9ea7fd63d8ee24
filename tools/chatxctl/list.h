#pragma once

#include "tools/chatxctl/client.h"
#include "tools/chatxctl/output.h"
#include "tools/chatxctl/table.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace chatx::tools {

/// A list that the node gives out page by page.
struct List {
    std::string_view path;    // Of the request.
    Parameters parameters;    // Beside `after` and `limit`.
    std::string_view key;     // Of the items in the answer.
    std::string_view thing;   // What the items are, for people: `rooms`.
    std::string after;        // Where to begin; empty: at the first.
    std::size_t limit = 100;  // 0: the node gives out all at once.
    Table table;              // Its columns.
    std::function<std::vector<std::string>(const proto::json::Value& item)> row;
};

/// Prints an answer: as it is with JSON, else by `print`.
template <class Print>
ExitCode print_answer(const Output& out, const Outcome& outcome, Print&& print) {
    if (const auto* failure = std::get_if<Failure>(&outcome)) return out.fail(*failure);
    const auto& reply = std::get<Reply>(outcome);
    if (!reply.ok()) return out.refused(reply);
    if (out.json()) {
        out.document(reply.body);
    } else {
        print(reply.value);
    }
    return out.done(reply.value);
}

/// Gets up to `limit` items and prints them; says so when there are more.
ExitCode print_list(const Client& client, const Output& out, List list);

}  // namespace chatx::tools
