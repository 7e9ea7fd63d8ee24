#include "tools/bench/floor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace chatx::tools {

namespace {

void send_whole(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent =
            ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        pollfd writable{socket, POLLOUT, 0};
        poll(&writable, 1, -1);
    }
}

void read_exactly(int from, void* to, std::size_t size) {
    if (read(from, to, size) != static_cast<ssize_t>(size))
        throw std::runtime_error("the floor program is gone");
}

}  // namespace

Floor::Floor(std::string_view bytes) : Floor(open(), bytes) {}

Floor::Floor(const Pipes& pipes, std::string_view bytes)
    : commands_(pipes.commands_in),
      answers_(pipes.answers_out),
      port_(pipes.port),
      process_(Process::fork([&] { serve(pipes, bytes); })) {
    close(pipes.listener);
    close(pipes.commands_out);
    close(pipes.answers_in);
}

Floor::~Floor() {
    close(commands_);
    close(answers_);
}

Floor::Pipes Floor::open() {
    Pipes pipes{};
    pipes.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    std::array<int, 2> commands{};
    std::array<int, 2> answers{};
    if (bind(pipes.listener, reinterpret_cast<const sockaddr*>(&address), size) != 0
        || listen(pipes.listener, 4096) != 0
        || getsockname(pipes.listener, reinterpret_cast<sockaddr*>(&address), &size) != 0
        || pipe2(commands.data(), O_CLOEXEC) != 0 || pipe2(answers.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("cannot start the floor program");
    }
    pipes.port = ntohs(address.sin_port);
    pipes.commands_out = commands[0];
    pipes.commands_in = commands[1];
    pipes.answers_out = answers[0];
    pipes.answers_in = answers[1];
    return pipes;
}

// A command is a number: how many clients to accept, or 0 for a round of sends. Each is answered
// with a byte.
void Floor::serve(const Pipes& pipes, std::string_view bytes) {
    close(pipes.commands_in);
    std::vector<int> clients;
    std::size_t command = 0;
    while (read(pipes.commands_out, &command, sizeof command) == sizeof command) {
        for (std::size_t i = 0; i < command; ++i) {
            clients.push_back(
                ::accept4(pipes.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            const int on = 1;
            setsockopt(clients.back(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        if (command == 0) {
            for (const int client : clients)
                send_whole(client, bytes);
        }
        const char done = 1;
        if (write(pipes.answers_in, &done, 1) != 1) return;
    }
}

void Floor::accept(std::size_t count) {
    char done = 0;
    if (write(commands_, &count, sizeof count) != sizeof count)
        throw std::runtime_error("the floor program is gone");
    read_exactly(answers_, &done, 1);
}

void Floor::send() {
    accept(0);
}

}  // namespace chatx::tools
