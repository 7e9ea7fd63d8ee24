#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace chatx::node {

/// A message of the protocol, made once for all who get it: framed for WebSockets, which carry it
/// as it is, with the message itself at hand for everybody else.
class Framed {
public:
    Framed() = default;
    [[nodiscard]] static Framed text(std::string_view message);
    [[nodiscard]] static Framed binary(std::string_view message);

    /// The whole WebSocket frame.
    [[nodiscard]] std::string_view bytes() const { return bytes_; }

    [[nodiscard]] std::string_view message() const { return bytes().substr(header_size_); }

    [[nodiscard]] bool is_binary() const { return binary_; }

private:
    std::string bytes_;
    std::uint8_t header_size_ = 0;
    bool binary_ = false;
};

}  // namespace chatx::node
