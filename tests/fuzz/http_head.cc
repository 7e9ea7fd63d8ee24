#include "node/gateway/http.h"
#include "tests/fuzz/fuzz.h"

#include <string>
#include <variant>

// A head is decided by its own bytes: what comes behind it changes nothing, and a part of it is no
// other head.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace chatx::node;
    const std::string_view bytes = chatx::fuzz::to_text(data, size);
    const auto result = parse_http_head(bytes);
    const auto* parsed = std::get_if<HttpParsed>(&result);
    if (parsed == nullptr) return 0;
    CHATX_ASSERT(parsed->size > 0 && parsed->size <= bytes.size());
    CHATX_ASSERT(parsed->request.headers.size() <= http_headers_max);
    const auto head = bytes.substr(0, parsed->size);
    const auto again = parse_http_head(std::string(head) + "GET ");
    CHATX_ASSERT(std::holds_alternative<HttpParsed>(again));
    CHATX_ASSERT(std::get<HttpParsed>(again).size == parsed->size);
    CHATX_ASSERT(
        !std::holds_alternative<HttpParsed>(parse_http_head(head.substr(0, size / 2)))
        || size / 2 >= parsed->size);
    return 0;
}
