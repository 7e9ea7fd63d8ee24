#pragma once

#include <chatx/ids.h>

#include "node/gateway/admin_answer.h"
#include "node/gateway/http.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace chatx::node {

/// Reads the query of an admin request. What is wrong is noted, and the first of it refused in the
/// end, with a sentence that names the parameter.
class QueryReader {
public:
    /// `request` outlives the reader.
    explicit QueryReader(const HttpRequest& request) : request_(request) {}

    struct Bounds {
        std::uint64_t fallback = 0;
        std::uint64_t least = 0;
        std::uint64_t most = UINT64_MAX;
    };

    /// The room that the request is about; it must name one.
    std::optional<RoomId> room();

    /// A number, `fallback` where there is none.
    std::uint64_t number(std::string_view key, const Bounds& bounds);

    /// A number that may be missing.
    std::optional<std::uint64_t> number(std::string_view key);

    /// A text, empty where there is none.
    std::string_view text(std::string_view key);

    /// What is wrong, a parameter that was not asked for included. After all others.
    [[nodiscard]] std::optional<Refusal> refusal();

private:
    std::optional<std::string_view> value(std::string_view key);
    void refuse(std::string_view reason, std::string message);

    const HttpRequest& request_;
    std::set<std::string, std::less<>> known_;
    std::optional<Refusal> refusal_;
};

}  // namespace chatx::node
