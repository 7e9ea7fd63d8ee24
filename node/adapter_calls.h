#pragma once

#include <chatx/adapters.h>
#include <chatx/ids.h>
#include <chatx/result.h>

#include "engine/middleware.h"
#include "node/log.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::node {

/// An adapter was asked and there is no answer.
struct AdapterFailure {
    std::string adapter;
    std::string operation;
    std::string what;  // Why; of what it threw, no more than a line of the log shows.
};

/// What came of asking an adapter.
template <class Answer>
using AdapterAnswer = std::variant<Answer, AdapterFailure>;

/// Calls the adapters of checks and contains what they do: what one throws comes back as a failure,
/// what it refuses with is made fit for clients. A call takes as long as the adapter takes, touches
/// nothing but this and the adapter, and may outlive the node if this does: whoever makes one on a
/// thread that can hang shares in owning this. Immutable: any thread may call.
class AdapterCalls {
public:
    /// The chain has a stage for an adapter only where `adapters` has it.
    AdapterCalls(engine::Chain chain, Adapters adapters);

    /// Runs the stage at a place of the chain, one that is `external()`.
    [[nodiscard]] AdapterAnswer<Verdict> check(std::size_t stage, const Draft& draft) const;

    /// Asks the auth adapter, which must be there.
    [[nodiscard]] AdapterAnswer<Result<Done>> authorize(
        const UserId& user, const RoomId& room, AuthAction action) const;

private:
    template <class Call>
    static auto contained(std::string_view adapter, std::string_view operation, Call&& call)
        -> AdapterAnswer<decltype(call())>;

    engine::Chain chain_;
    Adapters adapters_;
    std::vector<Middleware*> custom_;  // By stage; null where no middleware has its name.
};

/// Tells the log, in one line.
void log_failure(Logger& log, const AdapterFailure& failure);

}  // namespace chatx::node
