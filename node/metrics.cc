#include "node/metrics.h"

#include <chatx/assert.h>
#include <chatx/errors.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace chatx::node {

namespace {

using engine::Metric;

// The values of labels. Whatever else comes counts as the last one.
constexpr std::array<std::string_view, 6> adapters{
    "auth", "moderation", "persistence", "notifier", "middleware", "other"};
constexpr std::array<std::string_view, 14> close_codes{
    "1000",
    "1001",
    "1002",
    "1003",
    "1005",
    "1006",
    "1007",
    "1008",
    "1009",
    "1010",
    "1011",
    "1012",
    "1013",
    "other"};
constexpr std::array<std::string_view, 6> poll_statuses{"200", "204", "403", "408", "410", "other"};
constexpr std::array<std::string_view, 6> http_codes{"1xx", "2xx", "3xx", "4xx", "5xx", "other"};

// The upper bounds of the buckets of the histogram, in microseconds.
constexpr std::array<std::int64_t, 12> append_bounds_us{
    50, 100, 250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 1'000'000};

enum class Type : std::uint8_t { counter, gauge, histogram };

/// Series of one name. A label has `size` values; a histogram has a series for each bucket, the
/// last without a bound, and one for the sum in nanoseconds.
struct Family {
    std::string_view name;
    Type type;
    std::string_view help;
    std::string_view label{};
    std::size_t size = 1;
    std::string_view (*value)(std::size_t) = nullptr;
};

std::string_view reason_at(std::size_t index) {
    return chatx::to_text(static_cast<Reason>(index));
}

/// The name at a place of a table.
template <const auto& table>
std::string_view name_at(std::size_t index) {
    return table[index];
}

/// The families beside those of the engine.
enum NodeFamily : std::size_t {
    connections = engine::metric_count,
    connection_opened,
    connection_refused,
    accept_paused,
    handshake_refused,
    websockets,
    websocket_closed,
    websocket_error,
    frame_refused,
    long_polls,
    long_poll_answer,
    http_response,
    outbox_bytes,
    slow_consumer_cut,
    slow_consumer_left_out,
    slow_consumer_gap,
    log_append,
    adapter_call_dropped,
    store_down,
    store_error,
    log_backlog,
    dead_letters,
    family_count,
};

// First those of the engine in the order of Metric, then those of NodeFamily.
constexpr std::array<Family, family_count> families{{
    {"chatx_message_sent_total", Type::counter, "Messages acknowledged to their senders."},
    {"chatx_room_join_total", Type::counter, "Joins of rooms."},
    {"chatx_room_leave_total", Type::counter, "Leaves of rooms."},
    {"chatx_broadcast_total", Type::counter, "Events told to the subscribers of a room."},
    {"chatx_queue_size", Type::gauge, "Longest queue of a room since the last scrape."},
    {"chatx_queue_overflow_total", Type::counter, "Sends refused by the full queue of a room."},
    {"chatx_rate_limit_hit_total", Type::counter, "Sends refused by a rate limit."},
    {"chatx_rejected_total", Type::counter, "Requests refused.", "reason", reason_count, reason_at},
    {"chatx_adapter_error_total",
     Type::counter,
     "Calls of adapters that failed.",
     "adapter",
     adapters.size(),
     name_at<adapters>},
    {"chatx_adapter_timeout_total",
     Type::counter,
     "Calls of adapters that took too long.",
     "adapter",
     adapters.size(),
     name_at<adapters>},
    {"chatx_delivery_success_total", Type::counter, "Messages delivered to adapters."},
    {"chatx_delivery_retry_total", Type::counter, "Further attempts to deliver."},
    {"chatx_delivery_give_up_total", Type::counter, "Messages that became dead letters."},
    {"chatx_dedupe_hit_total", Type::counter, "Sends answered as repetitions of earlier ones."},
    {"chatx_room_opened_total", Type::counter, "Rooms taken into memory."},
    {"chatx_room_closed_total", Type::counter, "Rooms that left memory."},
    {"chatx_room_crashed_total", Type::counter, "Rooms ended for a fault of theirs."},
    {"chatx_connections", Type::gauge, "Connections of clients that are open."},
    {"chatx_connection_opened_total", Type::counter, "Connections of clients opened."},
    {"chatx_connection_refused_total",
     Type::counter,
     "Connections of clients beyond a limit, closed before a byte was read.",
     "limit",
     connection_limits.size(),
     name_at<connection_limits>},
    {"chatx_accept_paused_total",
     Type::counter,
     "Pauses in which no connection of a client was taken in.",
     "limit",
     accept_limits.size(),
     name_at<accept_limits>},
    {"chatx_handshake_refused_total",
     Type::counter,
     "Requests for a WebSocket or a long-poll session refused.",
     "reason",
     handshake_refusals.size(),
     name_at<handshake_refusals>},
    {"chatx_websockets", Type::gauge, "WebSockets that are open."},
    {"chatx_websocket_closed_total",
     Type::counter,
     "WebSockets closed.",
     "code",
     close_codes.size(),
     name_at<close_codes>},
    {"chatx_websocket_error_total", Type::counter, "Breaches of the WebSocket protocol."},
    {"chatx_frame_refused_total",
     Type::counter,
     "Frames of clients beyond a rate.",
     "limit",
     frame_limits.size(),
     name_at<frame_limits>},
    {"chatx_long_poll_sessions", Type::gauge, "Long-poll sessions that are open."},
    {"chatx_long_poll_answer_total",
     Type::counter,
     "Answers to requests of long-poll clients.",
     "status",
     poll_statuses.size(),
     name_at<poll_statuses>},
    {"chatx_http_response_total",
     Type::counter,
     "Answers to HTTP requests.",
     "code",
     http_codes.size(),
     name_at<http_codes>},
    {"chatx_outbox_bytes", Type::gauge, "Bytes that wait for clients to read."},
    {"chatx_slow_consumer_cut_total", Type::counter, "Connections cut for reading too slowly."},
    {"chatx_slow_consumer_left_out_total",
     Type::counter,
     "Events left out for connections that read too slowly."},
    {"chatx_slow_consumer_gap_total", Type::counter, "Memberships told of what was left out."},
    {"chatx_log_append_seconds",
     Type::histogram,
     "Time until the log has an entry on disk.",
     "le",
     append_bounds_us.size() + 2},
    {"chatx_adapter_call_dropped_total",
     Type::counter,
     "Calls of adapters never made, for nobody waited any more.",
     "adapter",
     adapters.size(),
     name_at<adapters>},
    {"chatx_store_down", Type::gauge, "1 while the store takes no messages."},
    {"chatx_store_error_total",
     Type::counter,
     "Calls of the store that failed.",
     "operation",
     store_operations.size(),
     name_at<store_operations>},
    {"chatx_log_backlog", Type::gauge, "Entries that wait for the log."},
    {"chatx_dead_letters", Type::gauge, "Dead letters that are kept."},
}};

/// Where the series of each family begin, and behind the last one.
constexpr std::array<std::size_t, family_count + 1> make_offsets() {
    std::array<std::size_t, family_count + 1> offsets{};
    for (std::size_t i = 0; i < family_count; ++i)
        offsets[i + 1] = offsets[i] + families[i].size;
    return offsets;
}

constexpr std::array<std::size_t, family_count + 1> offsets = make_offsets();
constexpr auto minus_one = static_cast<std::uint64_t>(-1);  // Modulo 2^64.
constexpr std::size_t queue_size_series = offsets[static_cast<std::size_t>(Metric::queue_size)];

/// The place of a label's value; the last one for everything unknown.
std::size_t index_in(std::span<const std::string_view> values, std::string_view value) {
    const auto found = std::ranges::find(values, value);
    return found == values.end() ? values.size() - 1
                                 : static_cast<std::size_t>(found - values.begin());
}

/// A number of a small unit in a larger one: 2500 and 1000 are `2.5`.
std::string decimal(std::uint64_t number, std::uint64_t scale) {
    const std::string text = std::to_string(number / scale);
    std::string digits = std::to_string(scale + number % scale).substr(1);  // With leading zeros.
    while (digits.ends_with('0'))
        digits.pop_back();
    return digits.empty() ? text : text + "." + digits;
}

std::string_view to_text(Type type) {
    switch (type) {
        case Type::counter:
            return "counter";
        case Type::gauge:
            return "gauge";
        case Type::histogram:
            break;
    }
    return "histogram";
}

void write_head(std::string& out, std::string_view name, Type type, std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(to_text(type)).append("\n");
}

void write_sample(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(" ").append(value).append("\n");
}

std::string with_label(std::string_view name, std::string_view label, std::string_view value) {
    std::string text(name);
    return text.append("{").append(label).append("=\"").append(value).append("\"}");
}

void write_one(
    std::string& out,
    std::string_view name,
    Type type,
    std::string_view help,
    std::string_view value) {
    write_head(out, name, type, help);
    write_sample(out, name, value);
}

void write_histogram(
    std::string& out, const Family& family, std::span<const std::uint64_t> values) {
    const std::string name(family.name);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i <= append_bounds_us.size(); ++i) {
        below += values[i];
        const std::string bound = i < append_bounds_us.size() ? decimal(
                                      static_cast<std::uint64_t>(append_bounds_us[i]), 1'000'000)
                                                              : "+Inf";
        write_sample(out, with_label(name + "_bucket", "le", bound), std::to_string(below));
    }
    write_sample(out, name + "_sum", decimal(values.back(), 1'000'000'000));
    write_sample(out, name + "_count", std::to_string(below));
}

void write_family(std::string& out, const Family& family, std::span<const std::uint64_t> values) {
    write_head(out, family.name, family.type, family.help);
    if (family.type == Type::histogram) return write_histogram(out, family, values);
    for (std::size_t i = 0; i < values.size(); ++i) {
        // A gauge is a sum of changes; shards that are read one after the other may give less than
        // nothing.
        const bool below_zero =
            family.type == Type::gauge && static_cast<std::int64_t>(values[i]) < 0;
        const std::string name = family.label.empty()
                                     ? std::string(family.name)
                                     : with_label(family.name, family.label, family.value(i));
        write_sample(out, name, below_zero ? "0" : std::to_string(values[i]));
    }
}

void write_process(std::string& out, const ProcessStats& stats) {
    write_one(
        out,
        "process_resident_memory_bytes",
        Type::gauge,
        "Memory of this process that is in RAM.",
        std::to_string(stats.resident_bytes));
    write_one(
        out,
        "process_open_fds",
        Type::gauge,
        "Open file descriptors.",
        std::to_string(stats.open_fds));
    write_one(
        out,
        "process_max_fds",
        Type::gauge,
        "Most file descriptors that may be open.",
        std::to_string(stats.fds_max));
    write_one(
        out,
        "process_cpu_seconds_total",
        Type::counter,
        "Processor time of all threads.",
        decimal(stats.cpu_ms, 1000));
}

}  // namespace

ShardMetrics::ShardMetrics() : series_(offsets.back()) {}

void ShardMetrics::count(const engine::Event& event) {
    const auto family = static_cast<std::size_t>(event.metric);
    if (family >= engine::metric_count) return;
    switch (event.metric) {
        case Metric::queue_size:
            return set_queue_size(event.value);
        case Metric::rejected: {
            // A reason that does not exist is an adapter's: reasons are theirs to give.
            const auto reason = static_cast<std::size_t>(event.reason);
            const auto instead = static_cast<std::size_t>(Reason::adapter_error);
            return add(offsets[family] + (reason < reason_count ? reason : instead), event.value);
        }
        case Metric::adapter_error:
        case Metric::adapter_timeout:
            return add(offsets[family] + index_in(adapters, event.label), event.value);
        default:
            add(offsets[family], event.value);
    }
}

void ShardMetrics::connection_opened() {
    add(offsets[NodeFamily::connections]);
    add(offsets[NodeFamily::connection_opened]);
}

void ShardMetrics::connection_closed() {
    add(offsets[NodeFamily::connections], minus_one);
}

void ShardMetrics::connection_refused(ConnectionLimit limit) {
    add(offsets[NodeFamily::connection_refused] + static_cast<std::size_t>(limit));
}

void ShardMetrics::accepts_paused(AcceptLimit limit) {
    add(offsets[NodeFamily::accept_paused] + static_cast<std::size_t>(limit));
}

void ShardMetrics::count_handshake_refused(HandshakeRefusal refusal) {
    add(offsets[NodeFamily::handshake_refused] + static_cast<std::size_t>(refusal));
}

void ShardMetrics::websocket_opened() {
    add(offsets[NodeFamily::websockets]);
}

void ShardMetrics::websocket_closed(unsigned code) {
    add(offsets[NodeFamily::websockets], minus_one);
    add(offsets[NodeFamily::websocket_closed] + index_in(close_codes, std::to_string(code)));
}

void ShardMetrics::count_websocket_error() {
    add(offsets[NodeFamily::websocket_error]);
}

void ShardMetrics::count_frame_refused(FrameLimit limit) {
    add(offsets[NodeFamily::frame_refused] + static_cast<std::size_t>(limit));
}

void ShardMetrics::long_poll_opened() {
    add(offsets[NodeFamily::long_polls]);
}

void ShardMetrics::long_poll_closed() {
    add(offsets[NodeFamily::long_polls], minus_one);
}

void ShardMetrics::count_long_poll_answer(unsigned status) {
    add(offsets[NodeFamily::long_poll_answer] + index_in(poll_statuses, std::to_string(status)));
}

void ShardMetrics::count_http_response(int status) {
    const bool known = status >= 100 && status < 600;
    const auto index = known ? static_cast<std::size_t>(status / 100 - 1) : http_codes.size() - 1;
    add(offsets[NodeFamily::http_response] + index);
}

void ShardMetrics::outbox_changed(std::int64_t bytes) {
    add(offsets[NodeFamily::outbox_bytes], static_cast<std::uint64_t>(bytes));
}

void ShardMetrics::count_slow_consumer() {
    add(offsets[NodeFamily::slow_consumer_cut]);
}

void ShardMetrics::count_left_out() {
    add(offsets[NodeFamily::slow_consumer_left_out]);
}

void ShardMetrics::count_gap() {
    add(offsets[NodeFamily::slow_consumer_gap]);
}

void ShardMetrics::log_appended(Duration took) {
    const std::int64_t ns = std::max<std::int64_t>(took.count(), 0);
    const auto bucket = std::ranges::lower_bound(append_bounds_us, (ns + 999) / 1000);
    const auto index = static_cast<std::size_t>(bucket - append_bounds_us.begin());
    add(offsets[NodeFamily::log_append] + index);
    add(offsets[NodeFamily::log_append + 1] - 1, static_cast<std::uint64_t>(ns));
}

void ShardMetrics::count_adapter_call_dropped(std::string_view adapter) {
    add(offsets[NodeFamily::adapter_call_dropped] + index_in(adapters, adapter));
}

void ShardMetrics::log_backlog_changed(std::int64_t entries) {
    add(offsets[NodeFamily::log_backlog], static_cast<std::uint64_t>(entries));
}

void ShardMetrics::dead_letters_changed(std::int64_t letters) {
    add(offsets[NodeFamily::dead_letters], static_cast<std::uint64_t>(letters));
}

void ShardMetrics::count_store_error(StoreOperation operation) {
    add(offsets[NodeFamily::store_error] + static_cast<std::size_t>(operation));
}

void ShardMetrics::store_went_down() {
    add(offsets[NodeFamily::store_down]);
}

void ShardMetrics::store_came_up() {
    add(offsets[NodeFamily::store_down], minus_one);
}

void ShardMetrics::add(std::size_t series, std::uint64_t value) {
    series_[series].fetch_add(value, std::memory_order_relaxed);
}

void ShardMetrics::set_queue_size(std::uint64_t size) {
    queue_size_.store(size, std::memory_order_relaxed);
    std::atomic<std::uint64_t>& peak = series_[queue_size_series];
    std::uint64_t before = peak.load(std::memory_order_relaxed);
    while (before < size) {
        if (peak.compare_exchange_weak(before, size, std::memory_order_relaxed)) return;
    }
}

std::uint64_t ShardMetrics::take_queue_peak() {
    const std::uint64_t now = queue_size_.load(std::memory_order_relaxed);
    return series_[queue_size_series].exchange(now, std::memory_order_relaxed);
}

Metrics::Metrics(Options options) : options_(std::move(options)) {
    for (std::size_t i = 0; i < options_.shards; ++i)
        shards_.push_back(std::make_unique<ShardMetrics>());
}

ShardMetrics& Metrics::shard(std::size_t index) {
    CHATX_ASSERT(index < shards_.size());
    return *shards_[index];
}

std::string Metrics::render(const std::optional<ProcessStats>& stats) {
    std::string out;
    const std::vector<std::uint64_t> values = totals();
    for (std::size_t i = 0; i < family_count; ++i)
        write_family(out, families[i], std::span(values).subspan(offsets[i], families[i].size));

    write_head(out, "chatx_build_info", Type::gauge, "The version of this program.");
    write_sample(out, with_label("chatx_build_info", "version", options_.version), "1");
    const auto started_ms =
        static_cast<std::uint64_t>(options_.started_at.time_since_epoch().count());
    write_one(
        out,
        "process_start_time_seconds",
        Type::gauge,
        "When this process started, since 1970.",
        decimal(started_ms, 1000));
    if (stats) write_process(out, *stats);
    return out;
}

std::vector<std::uint64_t> Metrics::totals() {
    std::vector<std::uint64_t> totals(offsets.back());
    for (const std::unique_ptr<ShardMetrics>& shard : shards_) {
        for (std::size_t i = 0; i < totals.size(); ++i) {
            if (i == queue_size_series) {
                totals[i] = std::max(totals[i], shard->take_queue_peak());
            } else {
                totals[i] += shard->series_[i].load(std::memory_order_relaxed);
            }
        }
    }
    return totals;
}

}  // namespace chatx::node
