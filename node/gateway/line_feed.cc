#include "node/gateway/line_feed.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

LineFeed::LineFeed(asio::io_context& io, std::function<void()> closed)
    : changed_(io, asio::steady_timer::time_point::max()), closed_(std::move(closed)) {}

LineFeed::~LineFeed() {
    closed_();
}

void LineFeed::push(std::string_view line) {
    if (left_out_ > 0 || waiting_.size() + line.size() >= bytes_max) {
        ++left_out_;
    } else {
        waiting_.append(line) += '\n';
    }
    changed_.cancel();
}

void LineFeed::end() {
    ended_ = true;
    changed_.cancel();
}

asio::awaitable<std::string> LineFeed::take() {
    while (waiting_.empty() && left_out_ == 0 && !ended_) {
        co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return std::string();
    }
    std::string lines = std::exchange(waiting_, {});
    if (left_out_ > 0) {
        lines += "{\"gap\":" + std::to_string(std::exchange(left_out_, 0)) + "}\n";
    }
    co_return lines;
}

}  // namespace chatx::node
