#include "tools/bench/doorman.h"

#include "proto/websocket.h"
#include "tools/bench/loopback.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <unordered_map>

namespace chatx::tools {

namespace {

constexpr std::string_view upgrade_answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";
constexpr std::string_view welcome = "welcome";
constexpr std::size_t welcome_bytes = 256;  // What an answer to a join and a list of people take.

class Door {
public:
    explicit Door(int listener) : listener_(listener), poll_(epoll_create1(EPOLL_CLOEXEC)) {
        std::string text(welcome);
        text.resize(welcome_bytes, ' ');
        namespace websocket = proto::websocket;
        websocket::append_frame(welcome_frame_, websocket::Opcode::text, text);
        watch(listener);
    }

    void serve() {
        std::array<epoll_event, 256> events{};
        while (true) {
            const int ready = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < ready; ++i) {
                const int socket = events[static_cast<std::size_t>(i)].data.fd;
                if (socket == listener_)
                    take_in();
                else
                    answer(socket);
            }
        }
    }

private:
    void watch(int socket) const {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = socket;
        epoll_ctl(poll_, EPOLL_CTL_ADD, socket, &event);
    }

    void take_in() {
        const int client = accept_from(listener_);
        if (client < 0) return;
        watch(client);
        answered_[client] = 0;
    }

    void answer(int client) {
        std::array<char, 4096> words{};
        if (recv(client, words.data(), words.size(), 0) <= 0
            || !send_whole(client, answered_[client]++ == 0 ? upgrade_answer : welcome_frame_)) {
            close(client);
            answered_.erase(client);
        }
    }

    int listener_;
    int poll_;
    std::string welcome_frame_;
    std::unordered_map<int, int> answered_;
};

}  // namespace

Doorman::Doorman() : Doorman(listen_on_loopback()) {}

Doorman::Doorman(int listener)
    : port_(port_of(listener)), process_(Process::fork([&] {
          close_files_but({listener});
          Door(listener).serve();
      })) {
    close(listener);
}

Entry Doorman::entry(std::size_t /*client*/, std::span<const std::string> /*rooms*/) const {
    return {.target = "/", .hello = {"join"}, .welcome = std::string(welcome), .welcomes = 1};
}

std::string Doorman::message(const std::string& /*room*/, std::size_t /*content_bytes*/) const {
    return {};
}

}  // namespace chatx::tools
