#pragma once

#include <chatx/result.h>

#include "engine/actions.h"

#include <cstdint>
#include <string_view>
#include <utility>

/// Shorthand for the actions that answer and count.
namespace chatx::engine {

inline void count(Step& step, Metric metric, std::uint64_t value = 1) {
    step.actions.emplace_back(Event{metric, value, {}, {}});
}

/// `label` is static text: auth, moderation, middleware or persistence.
inline void count_adapter(Step& step, Metric metric, std::string_view label) {
    step.actions.emplace_back(Event{metric, 1, {}, label});
}

template <class T>
void reply(Step& step, const ReplyTo& to, T what) {
    step.actions.emplace_back(Replied{to, Result<T>(std::move(what))});
}

/// Answers with an error and counts it, by reason and under the names that reasons of their own
/// have.
template <class T>
void refuse(Step& step, const ReplyTo& to, Error error) {
    const Reason reason = error.reason;
    step.actions.emplace_back(Replied{to, Result<T>(std::move(error))});
    step.actions.emplace_back(Event{Metric::rejected, 1, reason, {}});
    if (reason == Reason::queue_overflow) count(step, Metric::queue_overflow);
    if (reason == Reason::rate_limited) count(step, Metric::rate_limit_hit);
}

}  // namespace chatx::engine
