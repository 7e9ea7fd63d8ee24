#include "tools/bench/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>

namespace chatx::tools {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void send_without_delay(int socket) {
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool wait_writable(int socket) {
    constexpr int patience_ms = 30'000;
    pollfd writable{socket, POLLOUT, 0};
    const int ready = poll(&writable, 1, patience_ms);
    return ready > 0 || (ready < 0 && errno == EINTR);
}

}  // namespace

std::size_t raise_open_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void close_files_but(std::vector<int> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned first = STDERR_FILENO + 1;
    for (const int file : kept) {
        const auto number = static_cast<unsigned>(file);
        if (number > first) close_range(first, number - 1, 0);
        first = number + 1;
    }
    close_range(first, std::numeric_limits<unsigned>::max(), 0);
}

int listen_on_loopback() {
    constexpr int backlog = 4096;
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(0);
    if (bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0
        || listen(socket, backlog) != 0) {
        throw std::runtime_error("no free port");
    }
    return socket;
}

std::uint16_t port_of(int socket) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

std::uint16_t free_port() {
    const int socket = listen_on_loopback();
    const std::uint16_t port = port_of(socket);
    close(socket);
    return port;
}

bool accepts(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool connected =
        connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(socket);
    return connected;
}

int begin_connect(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_in address = loopback(port);
    if (socket < 0
        || (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0
            && errno != EINPROGRESS)) {
        throw std::runtime_error(
            "cannot connect: is the limit of open files (ulimit -n) high enough?");
    }
    send_without_delay(socket);
    const linger at_once{1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return socket;
}

int connect_to(std::uint16_t port) {
    const int socket = begin_connect(port);
    wait_writable(socket);
    return socket;
}

int accept_from(int listener) {
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) send_without_delay(socket);
    return socket;
}

bool send_whole(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent =
            ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if ((errno != EAGAIN && errno != EINTR) || !wait_writable(socket)) {
            return false;
        }
    }
    return true;
}

}  // namespace chatx::tools
