#pragma once

#include <chatx/time.h>

#include "engine/telemetry.h"
#include "node/process_stats.h"
#include "node/refusals.h"
#include "node/store_operation.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::node {

/// The counts of one shard. Its loop writes, and whoever works for it; any thread may write or read
/// at any time, and none waits. Counts of one moment need not fit each other.
///
/// The set of series is fixed when the program is built: nothing that users write becomes a label.
class ShardMetrics {
public:
    ShardMetrics();
    ShardMetrics(const ShardMetrics&) = delete;
    ShardMetrics& operator=(const ShardMetrics&) = delete;
    ~ShardMetrics() = default;

    void count(const engine::Event& event);

    // Connections of clients, whatever they speak.
    void connection_opened();
    void connection_closed();
    /// A limit on connections left no place for one; it was never opened.
    void connection_refused(ConnectionLimit limit);
    /// A limit made those who wait to be let in wait a little longer.
    void accepts_paused(AcceptLimit limit);
    /// A connection asked for a WebSocket or a long-poll session and did not get it.
    void count_handshake_refused(HandshakeRefusal refusal);

    // WebSockets among them.
    void websocket_opened();
    /// The close code (RFC 6455, 7.4) that was sent or received; 1005 when there was none.
    void websocket_closed(unsigned code);
    /// A client broke the protocol.
    void count_websocket_error();
    /// A client said more than it may.
    void count_frame_refused(FrameLimit limit);

    // Long-poll sessions.
    void long_poll_opened();
    void long_poll_closed();
    /// The `status` in the body of an answer to one of their requests.
    void count_long_poll_answer(unsigned status);

    void count_http_response(int status);
    /// The bytes that wait for clients became so many more, or fewer.
    void outbox_changed(std::int64_t bytes);
    /// A connection was cut because its client read too slowly.
    void count_slow_consumer();
    /// An event was left out for a client that reads too slowly; a membership was told of a gap.
    void count_left_out();
    void count_gap();
    /// The log had an entry on disk after so long.
    void log_appended(Duration took);
    /// So many more entries wait for the log, or fewer.
    void log_backlog_changed(std::int64_t entries);
    /// So many more dead letters are kept, or fewer.
    void dead_letters_changed(std::int64_t letters);
    /// A call of the store failed.
    void count_store_error(StoreOperation operation);

    /// A call of an adapter was not made any more, for nobody waited for the answer. Labels as
    /// those of Metric::adapter_timeout.
    void count_adapter_call_dropped(std::string_view adapter);

    // The store takes nothing, until it does again.
    void store_went_down();
    void store_came_up();

private:
    friend class Metrics;

    void add(std::size_t series, std::uint64_t value = 1);
    void set_queue_size(std::uint64_t size);
    std::uint64_t take_queue_peak();

    // Counts and sums of changes, modulo 2^64, of all series; metrics.cc has the order.
    std::vector<std::atomic<std::uint64_t>> series_;
    std::atomic<std::uint64_t> queue_size_ = 0;  // As last told; the series holds the peak.
};

/// All that a node counts, and its text for Prometheus. Owns the counts of the shards. Any thread
/// may render.
class Metrics {
public:
    struct Options {
        std::size_t shards = 1;
        std::string version;
        WallTime started_at;
    };

    explicit Metrics(Options options);

    /// Below the number of shards. Lives as long as this.
    [[nodiscard]] ShardMetrics& shard(std::size_t index);

    /// Every series, summed over all shards, in the text format 0.0.4 of Prometheus.
    /// `chatx_queue_size` is the longest queue of a room since the last call, or as it stands.
    /// Without `stats` the series of the process are missing.
    [[nodiscard]] std::string render(const std::optional<ProcessStats>& stats);

private:
    [[nodiscard]] std::vector<std::uint64_t> totals();

    Options options_;
    std::vector<std::unique_ptr<ShardMetrics>> shards_;
};

}  // namespace chatx::node
