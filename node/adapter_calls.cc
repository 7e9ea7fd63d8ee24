#include "node/adapter_calls.h"

#include "engine/validation.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace chatx::node {

AdapterCalls::AdapterCalls(engine::Chain chain, Adapters adapters)
    : chain_(std::move(chain)), adapters_(std::move(adapters)) {
    for (const engine::Stage& stage : chain_.stages()) {
        const auto named =
            std::ranges::find(adapters_.middlewares, stage.name, [](const Middleware* middleware) {
                return middleware->name();
            });
        custom_.push_back(named == adapters_.middlewares.end() ? nullptr : *named);
    }
}

AdapterAnswer<Verdict> AdapterCalls::check(std::size_t stage, const Draft& draft) const {
    const engine::Stage& asked = chain_.at(stage);
    switch (asked.kind) {
        case engine::Stage::Kind::auth: {
            auto allowed = authorize(draft.user, draft.room, AuthAction::send);
            if (auto* failure = std::get_if<AdapterFailure>(&allowed)) return std::move(*failure);
            const auto& answer = std::get<Result<Done>>(allowed);
            return answer ? Verdict::pass() : Verdict::reject(answer.error());
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
    return AdapterFailure{asked.name, "handle", "the program has no adapter of this name"};
}

AdapterAnswer<Result<Done>> AdapterCalls::authorize(
    const UserId& user, const RoomId& room, AuthAction action) const {
    auto outcome = contained(
        "auth", to_text(action), [&] { return adapters_.auth->authorize(user, room, action); });
    const auto* answer = std::get_if<Result<Done>>(&outcome);
    if (answer == nullptr || *answer) return outcome;
    return Result<Done>(engine::presentable(answer->error()));
}

template <class Call>
auto AdapterCalls::contained(std::string_view adapter, std::string_view operation, Call&& call)
    -> AdapterAnswer<decltype(call())> {
    AdapterFailure failure{std::string(adapter), std::string(operation), {}};
    try {
        return call();
    } catch (const std::exception& exception) {
        const char* what = exception.what();
        failure.what =
            std::string_view(what == nullptr ? "" : what).substr(0, log_value_size_max + 1);
    } catch (...) {
        failure.what = "what it threw says nothing of itself";
    }
    return failure;
}

void log_failure(Logger& log, const AdapterFailure& failure) {
    log.error(
        "an adapter failed",
        {{"adapter", failure.adapter}, {"operation", failure.operation}, {"error", failure.what}});
}

}  // namespace chatx::node
