#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/result.h>

#include "engine/middleware.h"
#include "node/log.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace chatx::node {

/// Calls the adapters of checks and contains what they do: what one throws goes into the log and
/// leaves no answer, what it refuses with is made fit for clients. A call takes as long as the
/// adapter takes. Immutable: any thread may call.
class AdapterCalls {
public:
    /// The chain has a stage for an adapter only where `adapters` has it. All arguments outlive the
    /// object.
    AdapterCalls(const engine::Chain& chain, const Adapters& adapters, Logger& log);

    /// Runs the stage at a place of the chain, one that is `external()`. Nothing when it threw.
    [[nodiscard]] std::optional<Verdict> check(std::size_t stage, const Draft& draft) const;

    /// Asks the auth adapter, which must be there. Nothing when it threw.
    [[nodiscard]] std::optional<Result<Done>> authorize(
        const UserId& user, const RoomId& room, AuthAction action) const;

private:
    template <class Call>
    auto contained(std::string_view adapter, std::string_view operation, Call&& call) const
        -> std::optional<decltype(call())>;
    void log_failure(
        std::string_view adapter, std::string_view operation, std::string_view what) const;

    const engine::Chain& chain_;
    const Adapters& adapters_;
    Logger& log_;
    std::vector<Middleware*> custom_;  // By stage; null where no middleware has its name.
};

}  // namespace chatx::node
