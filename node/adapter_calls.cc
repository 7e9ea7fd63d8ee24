#include "node/adapter_calls.h"

#include "engine/validation.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace chatx::node {

AdapterCalls::AdapterCalls(const engine::Chain& chain, const Adapters& adapters, Logger& log)
    : chain_(chain), adapters_(adapters), log_(log) {
    for (const engine::Stage& stage : chain.stages()) {
        const auto named =
            std::ranges::find(adapters.middlewares, stage.name, [](const Middleware* middleware) {
                return middleware->name();
            });
        custom_.push_back(named == adapters.middlewares.end() ? nullptr : *named);
    }
}

std::optional<Verdict> AdapterCalls::check(std::size_t stage, const Draft& draft) const {
    const engine::Stage& asked = chain_.at(stage);
    switch (asked.kind) {
        case engine::Stage::Kind::auth: {
            const auto allowed = authorize(draft.user, draft.room, AuthAction::send);
            if (!allowed) return std::nullopt;
            return *allowed ? Verdict::pass() : Verdict::reject(allowed->error());
        }
        case engine::Stage::Kind::moderation:
            return contained(
                asked.name, "check", [&] { return adapters_.moderation->check(draft); });
        case engine::Stage::Kind::custom:
            if (custom_.at(stage) == nullptr) break;  // It changed its name.
            return contained(
                asked.name, "handle", [&] { return custom_.at(stage)->handle(draft); });
        case engine::Stage::Kind::rate_limit:
            break;  // The room's own; never asked here.
    }
    return std::nullopt;
}

std::optional<Result<Done>> AdapterCalls::authorize(
    const UserId& user, const RoomId& room, AuthAction action) const {
    auto answer = contained(
        "auth", to_text(action), [&] { return adapters_.auth->authorize(user, room, action); });
    if (!answer || *answer) return answer;
    return Result<Done>(engine::presentable(answer->error()));
}

template <class Call>
auto AdapterCalls::contained(std::string_view adapter, std::string_view operation, Call&& call)
    const -> std::optional<decltype(call())> {
    try {
        return call();
    } catch (const std::exception& exception) {
        const char* what = exception.what();
        log_failure(adapter, operation, what == nullptr ? "" : what);
    } catch (...) {
        log_failure(adapter, operation, "what it threw says nothing of itself");
    }
    return std::nullopt;  // What that means is for whoever asked.
}

void AdapterCalls::log_failure(
    std::string_view adapter, std::string_view operation, std::string_view what) const {
    log_.error(
        "an adapter failed", {{"adapter", adapter}, {"operation", operation}, {"error", what}});
}

}  // namespace chatx::node
