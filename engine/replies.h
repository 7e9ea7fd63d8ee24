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

/// What a refusal consists of, handed to `emit` in order: the answer, then what is counted, by
/// reason and under the names that reasons of their own have.
template <class T, class Emit>
void emit_refusal(const ReplyTo& to, Error error, Emit&& emit) {
    const Reason reason = error.reason;
    emit(Replied{to, Result<T>(std::move(error))});
    emit(Event{Metric::rejected, 1, reason, {}});
    if (reason == Reason::queue_overflow) emit(Event{Metric::queue_overflow, 1, {}, {}});
    if (reason == Reason::rate_limited) emit(Event{Metric::rate_limit_hit, 1, {}, {}});
}

/// Answers with an error and counts it.
template <class T>
void refuse(Step& step, const ReplyTo& to, Error error) {
    emit_refusal<T>(
        to, std::move(error), [&](auto action) { step.actions.emplace_back(std::move(action)); });
}

}  // namespace chatx::engine
