#include "tools/bench/node_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace chatx::tools {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// A port that was free a moment ago.
std::uint16_t free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const bool bound = bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0
                       && getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    close(socket);
    if (!bound) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    const bool connected =
        connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(socket);
    return connected;
}

}  // namespace

NodeProcess::NodeProcess(const std::string& program, bool loud)
    : port_(free_port()),
      process_(Process::run(
          {program,
           "--dev",
           "--listen",
           "127.0.0.1:" + std::to_string(port_),
           "--set",
           "rate_limit.messages_per_sec=0",
           "--set",
           "limits.frames_per_sec=0"},
          loud)) {
    for (int tries = 0; tries < 100; ++tries) {
        if (accepts(port_)) return;
        if (!process_.running()) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    throw std::runtime_error("cannot start " + program + "; --loud shows what it says");
}

}  // namespace chatx::tools
