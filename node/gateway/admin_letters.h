#pragma once

#include "node/gateway/admin_context.h"
#include "node/gateway/http_server.h"
#include "proto/json.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::node {

/// Most letters that one request replays; the answer says where to go on.
inline constexpr std::size_t replay_letters_max = 100;

/// What became of some letters.
struct Replayed {
    struct Failure {
        std::uint64_t id = 0;
        std::string error;
    };

    std::uint64_t done = 0;       // Saved again, and removed.
    std::vector<Failure> failed;  // Still there.
    std::vector<std::uint64_t> missing;
    std::uint64_t last = 0;  // The largest id that was looked at; 0: none was left.
};

/// Saves these letters in the archive and removes those that it takes. Only letters of the archive
/// can be replayed so far. On the thread that writes.
Replayed replay(DeadLetters& letters, Persistence& archive, const std::vector<std::uint64_t>& ids);

/// The same for up to `limit` letters with ids above `after`.
Replayed replay_after(
    DeadLetters& letters, Persistence& archive, std::uint64_t after, std::size_t limit);

/// The dead letters of the admin API. Lives on the control loop; works on the store's threads.
class AdminLetters {
public:
    explicit AdminLetters(const AdminContext& context) : context_(context) {}

    using Answer = boost::asio::awaitable<HttpAnswer>;

    Answer list(HttpRequest request, std::string body);    // after, limit
    Answer replay(HttpRequest request, std::string body);  // {"ids":[...]} or {"all":true,"after"?}

private:
    /// Which letters to replay: these, or the next ones behind a place.
    struct Wanted {
        std::vector<std::uint64_t> ids;
        std::uint64_t after = 0;
        bool all = false;
    };

    [[nodiscard]] std::variant<Wanted, Refusal> read_wanted(std::string_view body);
    [[nodiscard]] HttpAnswer refused(const Refusal& refusal) const;

    const AdminContext& context_;
    proto::json::Parser parser_;
};

}  // namespace chatx::node
