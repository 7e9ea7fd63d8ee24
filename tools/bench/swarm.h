#pragma once

#include "proto/websocket.h"
#include "tools/bench/server.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct epoll_event;

namespace chatx::tools {

class Process;

/// Many WebSocket clients on one thread, as cheap as clients can be: they count the messages they
/// get and throw them away. Loopback only. Every wait is bounded; what does not come in time is an
/// exception, and so is Ctrl-C.
class Swarm {
public:
    using Clock = std::chrono::steady_clock;

    /// Longest wait for anything.
    static constexpr std::chrono::seconds patience{60};

    /// How many clients enter at a time where nothing else is said.
    static constexpr std::size_t entering_at_once = 256;

    /// Of the clients that look for a server there. They have no connection yet.
    Swarm(std::uint16_t port, std::size_t count);
    Swarm(const Swarm&) = delete;
    Swarm& operator=(const Swarm&) = delete;
    ~Swarm();

    [[nodiscard]] std::size_t size() const { return clients_.size(); }

    /// Connects all of them to a server that asks for no handshake.
    void connect();

    /// Lets all of them enter, at most so many at a time. Who is refused or loses the connection
    /// comes again after a while, as the Phoenix client does. Returns how often that happened.
    std::size_t enter(
        const std::function<Entry(std::size_t)>& entry_of, std::size_t at_once = entering_at_once);

    /// Cuts all connections without a word.
    void cut();

    /// One text message from one client, or several at once.
    void send(std::size_t client, std::span<const std::string> texts);

    /// Reads until all clients together have `count` messages with `mark` in them, more than at the
    /// last call. Other messages are passed over. Returns the bytes in those that count.
    std::size_t expect(std::string_view mark, std::size_t count);

    /// Reads until that time, and tells `heard` of each message with `mark` in it. Ends early when
    /// it says false.
    void listen(
        std::string_view mark,
        Clock::time_point until,
        const std::function<bool(std::size_t client)>& heard);

    /// Reads and throws away until a server has nothing more to do, or for 5 s.
    void settle(const Process& server);

private:
    enum class State : std::uint8_t { away, connecting, upgrading, entering, inside };

    struct Client {
        int socket = -1;
        State state = State::away;
        std::size_t refusals = 0;
        std::size_t welcomes = 0;
        std::string head;  // Of the answer to the upgrade request.
        proto::websocket::Decoder decoder{
            {.role = proto::websocket::Role::client, .message_size_max = 16U << 20}};
    };

    class Crowd;

    /// Waits for events and hands out each. False when there were none until then.
    template <class Handle>
    bool wait(Clock::time_point until, Handle&& handle);

    /// The bytes that came, none when there are none yet. Throws when the connection is lost.
    std::span<char> read(const Client& client);

    /// Hands out the texts in some bytes. Throws when the server closes.
    template <class Heard>
    static void decode(Client& client, std::span<char> bytes, Heard&& heard);

    void watch(std::size_t client, std::uint32_t events, int operation) const;
    void leave(Client& client) const;

    std::uint16_t port_;
    int poll_ = -1;
    std::vector<Client> clients_;
    std::vector<char> buffer_;
};

}  // namespace chatx::tools
