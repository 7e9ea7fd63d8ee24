#pragma once

#include "proto/websocket.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::tools {

/// Many WebSocket clients on one thread, as cheap as clients can be: they count the messages they
/// get and throw them away. Loopback only. Every wait is bounded; what does not come in time is an
/// exception.
class Swarm {
public:
    /// Longest wait for anything.
    static constexpr std::chrono::seconds patience{30};

    /// Connects `count` clients to the loopback port, without a handshake.
    Swarm(std::uint16_t port, std::size_t count);
    Swarm(const Swarm&) = delete;
    Swarm& operator=(const Swarm&) = delete;
    ~Swarm();

    [[nodiscard]] std::size_t size() const { return clients_.size(); }

    /// Sends the upgrade request of every client and reads the answers. `target` gets the client's
    /// number.
    void upgrade(const std::function<std::string(std::size_t)>& target);

    /// One text message from one client, or several at once.
    void send(std::size_t client, std::span<const std::string> texts);

    /// Reads until all clients together have `count` messages with `mark` in them, more than at the
    /// last call. Other messages are passed over.
    void expect(std::string_view mark, std::size_t count);

    /// The same for bytes that are no WebSocket: until all clients together have `count` more
    /// bytes.
    void expect_bytes(std::size_t count);

private:
    struct Client {
        int socket = -1;
        bool upgraded = false;
        proto::websocket::Decoder decoder{
            {.role = proto::websocket::Role::client, .message_size_max = 16U << 20}};
    };

    template <class Read>
    void read_until(const std::function<bool()>& done, Read&& read);

    int poll_ = -1;
    std::vector<Client> clients_;
    std::vector<char> buffer_;
};

}  // namespace chatx::tools
