#pragma once

#include <chatx/errors.h>
#include <chatx/result.h>

#include <cstddef>
#include <string_view>

namespace chatx::engine {

/// Whether a text may be the content of a message: 1 to `size_max` bytes of UTF-8. Line breaks and
/// control characters are content like any other. Refuses with `invalid_content` (empty),
/// `message_too_large` or `invalid_utf8`.
Result<Done> check_content(std::string_view content, std::size_t size_max);

/// Whether a text may be a `client_id`: at most `client_id_size_max` bytes of UTF-8, or empty for
/// none. Refuses with `invalid_content` or `invalid_utf8`.
Result<Done> check_client_id(std::string_view client_id);

/// An adapter's refusal, made fit for clients: a reason outside the set becomes `adapter_error`, a
/// detail that is not UTF-8 is left out, and one over 256 bytes is cut.
Error presentable(Error error);

}  // namespace chatx::engine
