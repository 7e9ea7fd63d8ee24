#include "node/gateway/http.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <cctype>

namespace chatx::node {

namespace http = boost::beast::http;

namespace {

/// As the parser tells versions.
constexpr unsigned http_1_1 = 11;

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(
    std::string_view query) {
    std::vector<std::pair<std::string, std::string>> parameters;
    while (!query.empty()) {
        const std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        if (part.empty()) continue;  // JavaScript clients leave empty parts for null values.
        const std::size_t equals = part.find('=');
        auto key = percent_decode(part.substr(0, equals), true);
        auto value = percent_decode(
            equals == part.npos ? std::string_view() : part.substr(equals + 1), true);
        if (!key || !value) return std::nullopt;
        parameters.emplace_back(*std::move(key), *std::move(value));
    }
    return parameters;
}

HttpRefused refusal(const boost::system::error_code& error) {
    if (error == http::error::header_limit) return {431, "The request head is larger than 8 KiB."};
    return {400, "The request head is malformed."};
}

}  // namespace

std::string HttpRequest::header(std::string_view name) const {
    std::string value;
    for (const auto& [key, text] : headers) {
        if (key != name) continue;
        if (!value.empty()) value += ", ";
        value += text;
    }
    return value;
}

std::optional<std::string_view> HttpRequest::parameter(std::string_view key) const {
    const auto found = std::find_if(
        query.rbegin(), query.rend(), [&](const auto& pair) { return pair.first == key; });
    if (found == query.rend()) return std::nullopt;
    return found->second;
}

std::variant<HttpIncomplete, HttpRefused, HttpParsed> parse_http_head(std::string_view bytes) {
    const std::size_t end = bytes.substr(0, http_head_bytes_max).find("\r\n\r\n");
    if (end == bytes.npos) {
        if (bytes.size() >= http_head_bytes_max)
            return HttpRefused{431, "The request head is larger than 8 KiB."};
        return HttpIncomplete{};
    }
    const std::string_view head = bytes.substr(0, end + 4);
    if (head.find("\r\n ") != head.npos || head.find("\r\n\t") != head.npos) {
        return HttpRefused{400, "Folded header lines are not accepted."};
    }

    http::request_parser<http::empty_body> parser;
    parser.header_limit(http_head_bytes_max);
    boost::system::error_code error;
    parser.put(boost::asio::buffer(head.data(), head.size()), error);
    if (error && error != http::error::need_more && error != http::error::unexpected_body)
        return refusal(error);
    if (!parser.is_header_done()) return HttpRefused{400, "The request head is malformed."};

    const auto& message = parser.get();
    if (message.count(http::field::transfer_encoding) > 0) {
        return HttpRefused{501, "Request bodies with a transfer encoding are not accepted."};
    }
    if (message.count(http::field::host) > 1)
        return HttpRefused{400, "The request names more than one host."};
    if (message.version() == http_1_1 && message.count(http::field::host) == 0)
        return HttpRefused{400, "The request does not name the host (RFC 9112, section 3.2)."};
    HttpParsed parsed;
    parsed.size = head.size();
    HttpRequest& request = parsed.request;
    request.method = std::string(message.method_string());
    request.keep_alive = message.keep_alive();
    for (const auto& field : message)
        request.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
    if (request.headers.size() > http_headers_max)
        return HttpRefused{431, "The request has more than 64 headers."};
    if (const auto length = parser.content_length()) request.content_length = *length;

    const std::string_view target(message.target().data(), message.target().size());
    if (target.size() > http_target_bytes_max)
        return HttpRefused{414, "The request target is longer than 4 KiB."};
    if (!target.starts_with('/')) return HttpRefused{400, "The request target is not a path."};
    const std::size_t question = target.find('?');
    auto path = percent_decode(target.substr(0, question), false);
    auto query =
        parse_query(question == target.npos ? std::string_view() : target.substr(question + 1));
    if (!path || !query)
        return HttpRefused{400, "The request target is not percent-encoded correctly."};
    request.path = *std::move(path);
    request.query = *std::move(query);
    return parsed;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            decoded += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return decoded;
}

std::string to_bytes(const HttpResponse& response, bool keep_alive, bool head_only) {
    const auto reason = http::obsolete_reason(http::int_to_status(response.status));
    std::string bytes =
        "HTTP/1.1 " + std::to_string(response.status) + ' ' + std::string(reason) + "\r\n";
    if (response.status != 101) {
        bytes += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
        bytes += keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
        if (!response.body.empty())
            bytes.append("Content-Type: ").append(response.content_type).append("\r\n");
    }
    for (const auto& [name, value] : response.headers)
        bytes.append(name).append(": ").append(value).append("\r\n");
    bytes += "\r\n";
    if (!head_only) bytes += response.body;
    return bytes;
}

}  // namespace chatx::node
