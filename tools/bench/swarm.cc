#include "tools/bench/swarm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace chatx::tools {

namespace websocket = proto::websocket;

namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::string_view head_end = "\r\n\r\n";

int connect_loopback(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socket < 0
        || ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error(
            "cannot connect: is the limit of open files (ulimit -n) high enough?");
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

void send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) throw std::runtime_error("a client lost its connection");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

}  // namespace

Swarm::Swarm(std::uint16_t port, std::size_t count)
    : poll_(epoll_create1(EPOLL_CLOEXEC)), clients_(count), buffer_(buffer_bytes) {
    for (std::size_t i = 0; i < count; ++i) {
        clients_[i].socket = connect_loopback(port);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        epoll_ctl(poll_, EPOLL_CTL_ADD, clients_[i].socket, &event);
    }
}

Swarm::~Swarm() {
    for (const Client& client : clients_)
        close(client.socket);
    close(poll_);
}

void Swarm::upgrade(const std::function<std::string(std::size_t)>& target) {
    std::size_t upgraded = 0;
    // In portions, for a listen queue is short.
    constexpr std::size_t portion = 256;
    for (std::size_t first = 0; first < size(); first += portion) {
        const std::size_t last = std::min(first + portion, size());
        for (std::size_t i = first; i < last; ++i) {
            send_all(
                clients_[i].socket,
                "GET " + target(i)
                    + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
        }
        read_until(
            [&] { return upgraded == last; },
            [&](Client& client, std::span<char> bytes) {
                const std::string_view head(bytes.data(), bytes.size());
                if (client.upgraded) return;
                if (!head.starts_with("HTTP/1.1 101") || head.find(head_end) == head.npos) {
                    throw std::runtime_error(
                        "the upgrade was refused: " + std::string(head.substr(0, head.find('\r'))));
                }
                client.upgraded = true;
                ++upgraded;
            });
    }
}

void Swarm::send(std::size_t client, std::span<const std::string> texts) {
    std::string bytes;
    for (const std::string& text : texts) {
        websocket::append_frame(
            bytes, websocket::Opcode::text, text, {.final = true, .mask = websocket::MaskKey{}});
    }
    send_all(clients_[client].socket, bytes);
}

void Swarm::expect(std::string_view mark, std::size_t count) {
    std::size_t seen = 0;
    read_until(
        [&] { return seen >= count; },
        [&](Client& client, std::span<char> bytes) {
            client.decoder.feed(bytes);
            while (const auto event = client.decoder.next()) {
                if (event->kind == websocket::Event::Kind::close) {
                    throw std::runtime_error("the server closed: " + std::string(event->payload));
                }
                // What is looked for stands near the beginning; the rest of a frame need not be
                // read.
                if (event->payload.substr(0, 64).find(mark) != std::string_view::npos) ++seen;
            }
        });
}

void Swarm::expect_bytes(std::size_t count) {
    std::size_t seen = 0;
    read_until(
        [&] { return seen >= count; },
        [&](Client&, std::span<char> bytes) { seen += bytes.size(); });
}

template <class Read>
void Swarm::read_until(const std::function<bool()>& done, Read&& read) {
    std::array<epoll_event, 256> events{};
    while (!done()) {
        const int wait_ms = static_cast<int>(std::chrono::milliseconds(patience).count());
        const int ready =
            epoll_wait(poll_, events.data(), static_cast<int>(events.size()), wait_ms);
        if (ready == 0) throw std::runtime_error("waited too long for the server");
        for (int i = 0; i < ready; ++i) {
            Client& client = clients_[events[static_cast<std::size_t>(i)].data.u64];
            const ssize_t count = recv(client.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (count <= 0) throw std::runtime_error("the server cut a connection");
            read(client, std::span(buffer_).first(static_cast<std::size_t>(count)));
        }
    }
}

}  // namespace chatx::tools
