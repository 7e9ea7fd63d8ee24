#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace chatx::node {

/// Bounds of a request head. A head beyond them is answered with 431 or 414 and the connection
/// closed.
inline constexpr std::size_t http_head_bytes_max = std::size_t{8} * 1024;
inline constexpr std::size_t http_headers_max = 64;
inline constexpr std::size_t http_target_bytes_max = std::size_t{4} * 1024;

/// The head of an HTTP/1.1 request. Plain values, so that only http.cc knows the parser.
struct HttpRequest {
    std::string method;
    std::string path;                                        // Percent-decoded; without the query.
    std::vector<std::pair<std::string, std::string>> query;  // Decoded, in order. A key may repeat.
    std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case, in order.
    bool keep_alive = true;
    std::uint64_t content_length = 0;

    /// The value of a header; of several, joined by commas. Empty when there is none.
    [[nodiscard]] std::string header(std::string_view name) const;

    /// The last value of a query key.
    [[nodiscard]] std::optional<std::string_view> parameter(std::string_view key) const;
};

/// The head is not complete yet.
struct HttpIncomplete {};

/// The head is no good: answer with this status and close.
struct HttpRefused {
    unsigned status = 400;
    std::string_view why;  // One sentence for the body.
};

/// A head and how many bytes of the input it took.
struct HttpParsed {
    HttpRequest request;
    std::size_t size = 0;
};

/// Parses the head at the beginning of `bytes`. Refuses what proxies and servers are known to read
/// differently: both lengths, a body with a transfer encoding, folded headers, a space before the
/// colon, two hosts, and in HTTP/1.1 none.
std::variant<HttpIncomplete, HttpRefused, HttpParsed> parse_http_head(std::string_view bytes);

/// The decoded text of a percent-encoded one, `+` as a space when `plus_is_space`; nothing when
/// malformed.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

struct HttpResponse {
    unsigned status = 200;
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string_view, std::string>> headers;
};

/// The bytes of a response, with its length and a `Connection` header. `head_only` leaves the body
/// out, for HEAD.
std::string to_bytes(const HttpResponse& response, bool keep_alive, bool head_only = false);

}  // namespace chatx::node
