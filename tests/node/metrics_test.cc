#include "node/metrics.h"

#include <chatx/errors.h>

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace chatx::node {

namespace {

using engine::Metric;
using namespace std::chrono_literals;

constexpr WallTime started_at{1'740'830'400'250ms};

Metrics make_metrics(std::size_t shards) {
    return Metrics({.shards = shards, .version = "0.1.0", .started_at = started_at});
}

/// The sample lines, without the comments.
std::vector<std::string> samples(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("#")) lines.push_back(line);
    }
    return lines;
}

/// The value of a series.
std::string value_of(const std::string& text, const std::string& series) {
    for (const std::string& line : samples(text)) {
        const std::size_t space = line.rfind(' ');
        if (line.substr(0, space) == series) return line.substr(space + 1);
    }
    return "none";
}

std::set<std::string> names(const std::string& text) {
    std::set<std::string> all;
    for (const std::string& line : samples(text))
        all.insert(line.substr(0, line.rfind(' ')));
    return all;
}

}  // namespace

TEST_CASE("everything is there at zero before anything happens") {
    Metrics metrics = make_metrics(2);
    const std::string text = metrics.render(std::nullopt);
    CHECK(
        text.starts_with("# HELP chatx_message_sent_total Messages acknowledged to their senders.\n"
                         "# TYPE chatx_message_sent_total counter\n"
                         "chatx_message_sent_total 0\n"
                         "# HELP chatx_room_join_total Joins of rooms.\n"
                         "# TYPE chatx_room_join_total counter\n"
                         "chatx_room_join_total 0\n"));
    CHECK(
        text.ends_with("# HELP chatx_build_info The version of this program.\n"
                       "# TYPE chatx_build_info gauge\n"
                       "chatx_build_info{version=\"0.1.0\"} 1\n"
                       "# HELP process_start_time_seconds When this process started, since 1970.\n"
                       "# TYPE process_start_time_seconds gauge\n"
                       "process_start_time_seconds 1740830400.25\n"));
    for (const ReasonInfo& reason : all_reasons()) {
        const std::string name(reason.text);
        CHECK(value_of(text, "chatx_rejected_total{reason=\"" + name + "\"}") == "0");
    }
}

TEST_CASE("the text has these series") {
    Metrics metrics = make_metrics(1);
    ShardMetrics& shard = metrics.shard(0);
    const auto all = {
        Metric::message_sent,
        Metric::room_join,
        Metric::room_leave,
        Metric::broadcast,
        Metric::queue_overflow,
        Metric::rate_limit_hit,
        Metric::delivery_retry,
        Metric::dedupe_hit,
        Metric::room_opened,
        Metric::room_closed,
        Metric::room_crashed};
    for (const Metric metric : all)
        shard.count({.metric = metric});
    shard.count({.metric = Metric::queue_size, .value = 7});
    shard.count({.metric = Metric::rejected, .reason = Reason::blocked});
    shard.count({.metric = Metric::adapter_error, .label = "auth"});
    shard.count({.metric = Metric::adapter_timeout, .label = "persistence"});
    shard.count({.metric = Metric::delivery_success, .value = 100});
    shard.count({.metric = Metric::delivery_give_up, .value = 3});
    shard.connection_opened();
    shard.connection_opened();
    shard.connection_closed();
    shard.connection_refused(ConnectionLimit::connections);
    shard.connection_refused(ConnectionLimit::pending_connections_per_ip);
    shard.accepts_paused(AcceptLimit::pending_connections);
    shard.count_handshake_refused(HandshakeRefusal::not_an_upgrade);
    shard.count_handshake_refused(HandshakeRefusal::shutting_down);
    shard.websocket_opened();
    shard.websocket_opened();
    shard.websocket_closed(1001);
    shard.count_websocket_error();
    shard.count_frame_refused(FrameLimit::frames_per_sec);
    shard.count_frame_refused(FrameLimit::heartbeats_per_sec);
    shard.count_http_response(200);
    shard.count_http_response(404);
    shard.outbox_changed(500);
    shard.outbox_changed(-100);
    shard.count_slow_consumer();
    shard.count_left_out();
    shard.count_gap();
    shard.log_appended(400us);
    shard.log_appended(3ms);
    shard.count_adapter_call_dropped("moderation");
    shard.store_went_down();
    shard.store_came_up();
    shard.store_went_down();
    shard.count_store_error(StoreOperation::append);
    shard.count_store_error(StoreOperation::read);
    shard.log_backlog_changed(5);
    shard.log_backlog_changed(-2);
    shard.dead_letters_changed(4);

    std::string not_zero;
    for (const std::string& line : samples(metrics.render(std::nullopt))) {
        if (!line.ends_with(" 0")) not_zero += line + "\n";
    }
    CHECK(not_zero == R"(chatx_message_sent_total 1
chatx_room_join_total 1
chatx_room_leave_total 1
chatx_broadcast_total 1
chatx_queue_size 7
chatx_queue_overflow_total 1
chatx_rate_limit_hit_total 1
chatx_rejected_total{reason="blocked"} 1
chatx_adapter_error_total{adapter="auth"} 1
chatx_adapter_timeout_total{adapter="persistence"} 1
chatx_delivery_success_total 100
chatx_delivery_retry_total 1
chatx_delivery_give_up_total 3
chatx_dedupe_hit_total 1
chatx_room_opened_total 1
chatx_room_closed_total 1
chatx_room_crashed_total 1
chatx_connections 1
chatx_connection_opened_total 2
chatx_connection_refused_total{limit="connections"} 1
chatx_connection_refused_total{limit="pending_connections_per_ip"} 1
chatx_accept_paused_total{limit="pending_connections"} 1
chatx_handshake_refused_total{reason="not_an_upgrade"} 1
chatx_handshake_refused_total{reason="shutting_down"} 1
chatx_websockets 1
chatx_websocket_closed_total{code="1001"} 1
chatx_websocket_error_total 1
chatx_frame_refused_total{limit="frames_per_sec"} 1
chatx_frame_refused_total{limit="heartbeats_per_sec"} 1
chatx_http_response_total{code="2xx"} 1
chatx_http_response_total{code="4xx"} 1
chatx_outbox_bytes 400
chatx_slow_consumer_cut_total 1
chatx_slow_consumer_left_out_total 1
chatx_slow_consumer_gap_total 1
chatx_log_append_seconds_bucket{le="0.0005"} 1
chatx_log_append_seconds_bucket{le="0.001"} 1
chatx_log_append_seconds_bucket{le="0.0025"} 1
chatx_log_append_seconds_bucket{le="0.005"} 2
chatx_log_append_seconds_bucket{le="0.01"} 2
chatx_log_append_seconds_bucket{le="0.025"} 2
chatx_log_append_seconds_bucket{le="0.05"} 2
chatx_log_append_seconds_bucket{le="0.1"} 2
chatx_log_append_seconds_bucket{le="1"} 2
chatx_log_append_seconds_bucket{le="+Inf"} 2
chatx_log_append_seconds_sum 0.0034
chatx_log_append_seconds_count 2
chatx_adapter_call_dropped_total{adapter="moderation"} 1
chatx_store_down 1
chatx_store_error_total{operation="append"} 1
chatx_store_error_total{operation="read"} 1
chatx_log_backlog 3
chatx_dead_letters 4
chatx_build_info{version="0.1.0"} 1
process_start_time_seconds 1740830400.25
)");
}

TEST_CASE("every metric of the engine has a family of its name") {
    Metrics metrics = make_metrics(1);
    const std::string text = metrics.render(std::nullopt);
    for (std::size_t i = 0; i < engine::metric_count; ++i) {
        const auto metric = static_cast<Metric>(i);
        const std::string suffix = metric == Metric::queue_size ? " gauge\n" : "_total counter\n";
        CAPTURE(i);
        CHECK(
            text.find("# TYPE chatx_" + std::string(engine::to_text(metric)) + suffix)
            != std::string::npos);
    }
}

TEST_CASE("families are well-formed: help, type, then samples, counters end in _total") {
    Metrics metrics = make_metrics(1);
    std::istringstream in(metrics.render(ProcessStats{}));
    std::string line;
    std::string family;
    std::string type;
    std::set<std::string> seen;
    while (std::getline(in, line)) {
        if (line.starts_with("# HELP ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            CHECK(line.ends_with("."));
            CHECK(seen.insert(family).second);
            REQUIRE(std::getline(in, line));
            REQUIRE(line.starts_with("# TYPE " + family + " "));
            type = line.substr(line.rfind(' ') + 1);
            CHECK((type == "counter") == family.ends_with("_total"));
        } else {
            CAPTURE(line);
            CHECK(line.starts_with(family));
            CHECK(line.find_first_of("{ _", family.size()) == family.size());
        }
    }
}

TEST_CASE("a scrape sums over the shards") {
    Metrics metrics = make_metrics(3);
    for (std::size_t i = 0; i < 3; ++i) {
        metrics.shard(i).count({.metric = Metric::message_sent, .value = i + 1});
        metrics.shard(i).connection_opened();
    }
    metrics.shard(2).connection_closed();
    const std::string text = metrics.render(std::nullopt);
    CHECK(value_of(text, "chatx_message_sent_total") == "6");
    CHECK(value_of(text, "chatx_connections") == "2");
}

TEST_CASE(
    "what grows on one shard and shrinks on another is right in the sum, and never negative") {
    Metrics metrics = make_metrics(2);
    metrics.shard(0).outbox_changed(10);
    metrics.shard(1).outbox_changed(-4);
    CHECK(value_of(metrics.render(std::nullopt), "chatx_outbox_bytes") == "6");
    metrics.shard(1).outbox_changed(-10);
    CHECK(value_of(metrics.render(std::nullopt), "chatx_outbox_bytes") == "0");
}

TEST_CASE("the queue size is the longest since the last scrape, or as it stands") {
    Metrics metrics = make_metrics(2);
    const auto told = [&](std::size_t shard, std::uint64_t size) {
        metrics.shard(shard).count({.metric = Metric::queue_size, .value = size});
    };
    told(0, 5);
    told(0, 2);
    told(1, 3);
    CHECK(value_of(metrics.render(std::nullopt), "chatx_queue_size") == "5");
    CHECK(value_of(metrics.render(std::nullopt), "chatx_queue_size") == "3");
    told(1, 0);
    CHECK(value_of(metrics.render(std::nullopt), "chatx_queue_size") == "3");
    CHECK(value_of(metrics.render(std::nullopt), "chatx_queue_size") == "2");
}

TEST_CASE("the buckets of a histogram are bounded above, bounds included") {
    Metrics metrics = make_metrics(1);
    ShardMetrics& shard = metrics.shard(0);
    for (const Duration took : {Duration(0), Duration(-5), Duration(50us), Duration(50us + 1ns)})
        shard.log_appended(took);
    shard.log_appended(2s);
    const std::string text = metrics.render(std::nullopt);
    CHECK(value_of(text, "chatx_log_append_seconds_bucket{le=\"0.00005\"}") == "3");
    CHECK(value_of(text, "chatx_log_append_seconds_bucket{le=\"0.0001\"}") == "4");
    CHECK(value_of(text, "chatx_log_append_seconds_bucket{le=\"1\"}") == "4");
    CHECK(value_of(text, "chatx_log_append_seconds_bucket{le=\"+Inf\"}") == "5");
    CHECK(value_of(text, "chatx_log_append_seconds_count") == "5");
    CHECK(value_of(text, "chatx_log_append_seconds_sum") == "2.000100001");
}

TEST_CASE("what is not in a fixed set counts as other") {
    Metrics metrics = make_metrics(1);
    ShardMetrics& shard = metrics.shard(0);
    shard.count({.metric = Metric::adapter_error, .label = "room:secret"});
    shard.count({.metric = Metric::rejected, .reason = static_cast<Reason>(200)});
    shard.count({.metric = static_cast<Metric>(200)});
    shard.websocket_closed(4000);
    shard.count_http_response(99);
    shard.count_http_response(600);
    const std::string text = metrics.render(std::nullopt);
    CHECK(value_of(text, "chatx_adapter_error_total{adapter=\"other\"}") == "1");
    CHECK(value_of(text, "chatx_rejected_total{reason=\"adapter_error\"}") == "1");
    CHECK(value_of(text, "chatx_websocket_closed_total{code=\"other\"}") == "1");
    CHECK(value_of(text, "chatx_http_response_total{code=\"other\"}") == "2");
}

TEST_CASE("the set of series stays the same whatever happens") {
    Metrics metrics = make_metrics(2);
    const std::string before = metrics.render(std::nullopt);
    CHECK(rc::check([&](std::uint8_t metric, std::uint8_t reason, std::uint64_t value, int code) {
        const auto label = *rc::gen::arbitrary<std::string>();
        ShardMetrics& shard = metrics.shard(value % 2);
        shard.count(
            {.metric = static_cast<Metric>(metric),
             .value = value,
             .reason = static_cast<Reason>(reason),
             .label = label});
        shard.websocket_closed(static_cast<unsigned>(code));
        shard.count_http_response(code);
        shard.log_appended(Duration(static_cast<std::int64_t>(value)));
        RC_ASSERT(names(metrics.render(std::nullopt)) == names(before));
    }));
    CHECK(metrics.render(std::nullopt).size() < 256 * 1024);
    CHECK(names(before).size() == samples(before).size());
}

TEST_CASE("counts of several threads add up") {
    Metrics metrics = make_metrics(1);
    std::vector<std::thread> threads(4);
    for (std::thread& thread : threads) {
        thread = std::thread([&metrics] {
            for (int k = 0; k < 10'000; ++k)
                metrics.shard(0).count({.metric = Metric::message_sent});
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK(value_of(metrics.render(std::nullopt), "chatx_message_sent_total") == "40000");
}

TEST_CASE("the process is described in base units") {
    Metrics metrics = make_metrics(1);
    const std::string text = metrics.render(
        ProcessStats{.resident_bytes = 4096, .open_fds = 7, .fds_max = 1024, .cpu_ms = 1500});
    CHECK(value_of(text, "process_resident_memory_bytes") == "4096");
    CHECK(value_of(text, "process_open_fds") == "7");
    CHECK(value_of(text, "process_max_fds") == "1024");
    CHECK(value_of(text, "process_cpu_seconds_total") == "1.5");
}

TEST_CASE("this process has memory, files and a limit on them") {
    const auto stats = read_process_stats();
    REQUIRE(stats);
    CHECK(stats->resident_bytes > 100'000);
    CHECK(stats->open_fds >= 2);
    CHECK(stats->fds_max >= stats->open_fds);
}

}  // namespace chatx::node
