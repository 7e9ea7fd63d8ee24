#pragma once

namespace chatx::detail {

/// Prints the broken expectation to standard error and aborts.
[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace chatx::detail

/// Ends the process when something that cannot happen has happened. On in every build. What a
/// client, a peer, a file or an adapter said can always happen: that is a Result, never an
/// assertion.
#define CHATX_ASSERT(expression) \
    ((expression) ? void(0) : ::chatx::detail::assert_failed(#expression, __FILE__, __LINE__))
