#include "node/gateway/connection_rows.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <tuple>
#include <utility>

namespace chatx::node {

namespace {

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::string to_text(ConnectionId id) {
    return std::to_string(id.shard) + "-" + std::to_string(id.number);
}

std::optional<ConnectionId> parse_connection_id(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash == text.npos) return std::nullopt;
    const auto shard = number_in<std::uint16_t>(text.substr(0, dash));
    const auto number = number_in<std::uint64_t>(text.substr(dash + 1));
    if (!shard || !number) return std::nullopt;
    return ConnectionId{*shard, *number};
}

bool stands_before(ConnectionPage::Order order, const ConnectionRow& a, const ConnectionRow& b) {
    if (order == ConnectionPage::Order::id) return a.id < b.id;
    return std::tie(b.outbox_bytes, a.id) < std::tie(a.outbox_bytes, b.id);
}

ConnectionRows merge_rows(
    std::vector<std::vector<ConnectionRow>> pages, const ConnectionPage& page) {
    ConnectionRows merged;
    for (std::vector<ConnectionRow>& rows : pages) {
        std::move(rows.begin(), rows.end(), std::back_inserter(merged.rows));
    }
    std::ranges::sort(merged.rows, [&](const ConnectionRow& a, const ConnectionRow& b) {
        return stands_before(page.order, a, b);
    });
    merged.more = merged.rows.size() > page.limit;
    if (merged.more) merged.rows.resize(page.limit);
    return merged;
}

}  // namespace chatx::node
