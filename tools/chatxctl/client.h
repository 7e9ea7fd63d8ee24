#pragma once

#include "proto/json.h"
#include "tools/chatxctl/exit_code.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::tools {

/// Why there is no answer: one sentence, and what the program ends with.
struct Failure {
    ExitCode code = ExitCode::failed;
    std::string text;
};

/// An answer of a node.
struct Reply {
    unsigned status = 0;
    std::string body;
    proto::json::Value value;  // The same, read.

    [[nodiscard]] bool ok() const { return status == 200; }
};

using Outcome = std::variant<Reply, Failure>;

/// Parameters of a request; names and values are encoded.
using Parameters = std::vector<std::pair<std::string_view, std::string>>;

/// Asks a node by its admin socket, each question on a connection of its own.
class Client {
public:
    /// Uses the first of `paths` behind which somebody answers.
    explicit Client(std::vector<std::string> paths) : paths_(std::move(paths)) {}

    [[nodiscard]] Outcome get(std::string_view path, const Parameters& parameters = {}) const;
    [[nodiscard]] Outcome post(std::string_view path, std::string_view body) const;

    /// Reads lines until the node ends them (then it is a failure) or somebody presses Ctrl-C (then
    /// it is an empty reply with status 200). An answer that is no stream comes back as it is.
    [[nodiscard]] Outcome follow(
        std::string_view path,
        const Parameters& parameters,
        std::function<void(std::string_view line)> on_line) const;

private:
    [[nodiscard]] Outcome ask(
        std::string request, std::function<void(std::string_view)> on_line) const;

    std::vector<std::string> paths_;
};

/// Where a node is looked for when nobody says where: the default data directory, then the path of
/// `chatxd --dev`, if that is this user's.
std::vector<std::string> default_sockets();

}  // namespace chatx::tools
