#include "tools/chatxctl/list.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace chatx::tools {

namespace json = proto::json;

namespace {

constexpr std::size_t page_max = 500;

/// The answers of all pages as one: the last one with the items of all. Incomplete if one was.
std::string joined(const std::vector<json::Value>& answers, std::string_view key) {
    const auto incomplete = [](const json::Value& answer) {
        const json::Value* coverage = answer.find("coverage");
        return coverage != nullptr && !items_of(*coverage, "missing").empty();
    };
    const auto worst = std::ranges::find_if(answers, incomplete);
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    for (const json::Value::Member& member : *answers.back().as_object()) {
        writer.key(member.key);
        if (member.key == "coverage" && worst != answers.end()) {
            writer.value(*worst->find("coverage"));
        } else if (member.key != key) {
            writer.value(member.value);
        } else {
            writer.begin_array();
            for (const json::Value& answer : answers) {
                for (const json::Value& item : items_of(answer, key))
                    writer.value(item);
            }
            writer.end_array();
        }
    }
    writer.end_object();
    return text;
}

ExitCode worst_of(const std::vector<json::Value>& answers, const Output& out) {
    for (const json::Value& answer : answers) {
        if (const ExitCode code = out.done(answer); code != ExitCode::ok) return code;
    }
    return ExitCode::ok;
}

}  // namespace

ExitCode print_list(const Client& client, const Output& out, List list) {
    std::vector<json::Value> answers;
    std::size_t count = 0;
    std::string next = list.after;
    do {
        Parameters parameters = list.parameters;
        if (list.limit > 0)
            parameters.emplace_back(
                "limit", std::to_string(std::min(list.limit - count, page_max)));
        if (!next.empty()) parameters.emplace_back("after", next);
        auto outcome = client.get(list.path, parameters);
        if (const auto* failure = std::get_if<Failure>(&outcome)) return out.fail(*failure);
        auto& reply = std::get<Reply>(outcome);
        if (!reply.ok()) return out.refused(reply);
        count += items_of(reply.value, list.key).size();
        next = text_of(reply.value, "next");
        answers.push_back(std::move(reply.value));
    } while (!next.empty() && count < list.limit);

    if (out.json()) {
        out.document(joined(answers, list.key));
    } else {
        for (const json::Value& answer : answers) {
            for (const json::Value& item : items_of(answer, list.key))
                list.table.rows.push_back(list.row(item));
        }
        out.table(list.table, "There are no " + std::string(list.thing) + ".");
        if (!next.empty())
            out.note(
                "there are more " + std::string(list.thing) + ": --after " + next
                + ", or a larger --limit");
    }
    return worst_of(answers, out);
}

}  // namespace chatx::tools
