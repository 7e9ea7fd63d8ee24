#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace chatx::node::test {

/// Starts a coroutine; what it returns is there once the loop has run long enough.
template <class Value>
class Begun {
public:
    Begun(boost::asio::io_context& io, boost::asio::awaitable<Value> work) {
        boost::asio::co_spawn(
            io, std::move(work), [this](const std::exception_ptr& error, Value value) {
                if (!error) value_.emplace(std::move(value));
                ended_ = true;
            });
    }

    Begun(const Begun&) = delete;
    Begun& operator=(const Begun&) = delete;
    ~Begun() = default;

    [[nodiscard]] bool ended() const { return ended_; }

    [[nodiscard]] const std::optional<Value>& value() const { return value_; }

private:
    std::optional<Value> value_;
    bool ended_ = false;
};

}  // namespace chatx::node::test
