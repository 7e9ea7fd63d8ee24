#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace chatx::node {

/// Lines on their way to one reader, such as the messages of a room that an operator watches.
///
/// Bounded: a line that finds `bytes_max` bytes waiting is left out, and the reader is told in its
/// place: `{"gap":n}` with the number of lines left out in a row. Lives on the control loop.
class LineFeed {
public:
    static constexpr std::size_t bytes_max = std::size_t{1} << 20;

    /// `closed` is called once, when the reader is gone: by the destructor.
    LineFeed(boost::asio::io_context& io, std::function<void()> closed);
    LineFeed(const LineFeed&) = delete;
    LineFeed& operator=(const LineFeed&) = delete;
    ~LineFeed();

    /// Adds a line, without its end.
    void push(std::string_view line);

    /// No line comes any more.
    void end();

    /// Waits for lines and takes all of them, each with its end. Empty: there are no more, or the
    /// wait was cancelled. One reader at a time.
    boost::asio::awaitable<std::string> take();

private:
    boost::asio::steady_timer changed_;
    std::function<void()> closed_;
    std::string waiting_;
    std::uint64_t left_out_ = 0;  // Behind all that waits.
    bool ended_ = false;
};

}  // namespace chatx::node
