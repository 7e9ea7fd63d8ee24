#include "tools/bench/floor.h"

#include "tools/bench/interrupt.h"
#include "tools/bench/loopback.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace chatx::tools {

namespace {

constexpr std::size_t send_round = 0;  // The command; any other is a number of clients to accept.

}  // namespace

Floor::Floor(std::string_view bytes) : Floor(open(), bytes) {}

Floor::Floor(const Pipes& pipes, std::string_view bytes)
    : commands_(pipes.commands_in),
      answers_(pipes.answers_out),
      port_(port_of(pipes.listener)),
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
    std::array<int, 2> commands{};
    std::array<int, 2> answers{};
    if (pipe2(commands.data(), O_CLOEXEC) != 0 || pipe2(answers.data(), O_CLOEXEC) != 0)
        throw std::runtime_error("cannot start the floor program");
    return {
        .listener = listen_on_loopback(),
        .commands_out = commands[0],
        .commands_in = commands[1],
        .answers_out = answers[0],
        .answers_in = answers[1]};
}

// Each command is answered with a byte.
void Floor::serve(const Pipes& pipes, std::string_view bytes) {
    close_files_but({pipes.listener, pipes.commands_out, pipes.answers_in});
    std::vector<int> clients;
    std::size_t command = 0;
    while (read(pipes.commands_out, &command, sizeof command) == sizeof command) {
        for (std::size_t i = 0; i < command; ++i)
            clients.push_back(accept_from(pipes.listener));
        if (command == send_round) {
            for (const int client : clients) {
                if (!send_whole(client, bytes)) return;
            }
        }
        const char done = 1;
        if (write(pipes.answers_in, &done, 1) != 1) return;
    }
}

void Floor::tell(std::size_t command) const {
    if (write(commands_, &command, sizeof command) != sizeof command)
        throw std::runtime_error("the floor program is gone");
}

void Floor::accept(std::size_t count) const {
    tell(count);
    end_send();
}

void Floor::begin_send() const {
    tell(send_round);
}

void Floor::end_send() const {
    char done = 0;
    if (read(answers_, &done, 1) == 1) return;
    check_interrupts();
    throw std::runtime_error("the floor program is gone");
}

}  // namespace chatx::tools
