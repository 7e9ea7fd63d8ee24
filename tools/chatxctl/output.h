#pragma once

#include "proto/json.h"
#include "tools/chatxctl/client.h"
#include "tools/chatxctl/exit_code.h"
#include "tools/chatxctl/table.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace chatx::tools {

/// Where chatxctl prints: tables on a terminal, tab-separated text elsewhere, JSON when it is asked
/// for. What goes wrong is one line on standard error.
class Output {
public:
    /// Looks at standard output: whether it is a terminal, and how wide.
    explicit Output(bool json);

    [[nodiscard]] bool json() const { return json_; }

    [[nodiscard]] bool terminal() const { return terminal_; }

    [[nodiscard]] std::size_t width() const { return width_; }

    /// Rows of a list. On a terminal an empty list is a sentence, `nothing`.
    void table(const Table& table, std::string_view nothing) const;

    /// One thing: on a terminal a line for each of its columns.
    void record(const Table& table) const;

    /// A whole JSON document.
    void document(std::string_view json) const;

    /// A line, at once, for those who read along.
    void line(std::string_view text) const;

    /// Something to know that is not part of the result, on standard error.
    void note(std::string_view text) const;

    /// Says what went wrong.
    ExitCode fail(const Failure& failure) const;

    /// Says why a node refused; with JSON its answer goes to standard output as well.
    ExitCode refused(const Reply& reply) const;

    /// `partial` when parts of what was asked did not answer.
    ExitCode done(const proto::json::Value& answer) const;

private:
    bool json_;
    bool terminal_;
    std::size_t width_;
};

/// The member of an object as a text: strings as they are, numbers as written, else empty.
std::string text_of(const proto::json::Value& object, std::string_view key);

/// The member as milliseconds since 1970, in local time; empty when it is null.
std::string time_of(const proto::json::Value& object, std::string_view key);

/// The items of a list; none when there is no such list.
const std::vector<proto::json::Value>& items_of(
    const proto::json::Value& object, std::string_view key);

}  // namespace chatx::tools
