#pragma once

#include <chatx/assert.h>
#include <chatx/errors.h>

#include <utility>
#include <variant>

namespace chatx {

/// What a function that can be refused returns. Check it at once: `if (!result) return
/// result.error();`
template <class T>
class [[nodiscard]] Result {
public:
    // NOLINTBEGIN(google-explicit-constructor): `return value;`, `return Reason::blocked;`.
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    Result(Reason reason) : Result(Error{reason, {}, {}}) {}

    // NOLINTEND(google-explicit-constructor): as above.

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }

    explicit operator bool() const { return has_value(); }

    /// The value. Asserts that there is one.
    [[nodiscard]] T& value() & {
        CHATX_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    [[nodiscard]] const T& value() const& {
        CHATX_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    [[nodiscard]] T&& value() && {
        CHATX_ASSERT(has_value());
        return std::move(*std::get_if<0>(&state_));
    }

    T& operator*() & { return value(); }

    const T& operator*() const& { return value(); }

    T&& operator*() && { return std::move(*this).value(); }

    T* operator->() { return &value(); }

    const T* operator->() const { return &value(); }

    /// The refusal. Asserts that there is one.
    [[nodiscard]] const Error& error() const {
        CHATX_ASSERT(!has_value());
        return *std::get_if<1>(&state_);
    }

    bool operator==(const Result&) const = default;

private:
    std::variant<T, Error> state_;
};

/// The result of what has nothing to return: `Result<Done>`.
struct Done {
    bool operator==(const Done&) const = default;
};

}  // namespace chatx
