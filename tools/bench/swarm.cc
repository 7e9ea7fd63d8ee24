#include "tools/bench/swarm.h"

#include "tools/bench/interrupt.h"
#include "tools/bench/loopback.h"
#include "tools/bench/process.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <stdexcept>

namespace chatx::tools {

namespace websocket = proto::websocket;

namespace {

constexpr std::size_t buffer_bytes = 256UL * 1024;
constexpr std::string_view head_end = "\r\n\r\n";

struct ConnectionLost : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What is looked for stands near the beginning; the rest of a message need not be read.
bool has_mark(std::string_view text, std::string_view mark) {
    return text.substr(0, 64).find(mark) != std::string_view::npos;
}

std::string upgrade_request(const std::string& target) {
    return "GET " + target
           + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
}

std::string frames(std::span<const std::string> texts) {
    std::string bytes;
    for (const std::string& text : texts) {
        websocket::append_frame(
            bytes, websocket::Opcode::text, text, {.final = true, .mask = websocket::MaskKey{}});
    }
    return bytes;
}

}  // namespace

/// Clients on their way in.
class Swarm::Crowd {
public:
    Crowd(Swarm& swarm, const std::function<Entry(std::size_t)>& entry_of, std::size_t at_once)
        : swarm_(swarm), entry_of_(entry_of), at_once_(at_once) {
        for (std::size_t i = 0; i < swarm.size(); ++i) {
            if (swarm.clients_[i].state == State::inside)
                ++inside_;
            else
                waiting_.push_back(i);
        }
    }

    std::size_t enter() {
        const auto give_up = Clock::now() + patience;
        while (inside_ < swarm_.size()) {
            if (Clock::now() > give_up) {
                throw std::runtime_error(
                    "after a minute " + std::to_string(inside_) + " of "
                    + std::to_string(swarm_.size()) + " clients are in" + last_refusal_);
            }
            begin_those_due();
            swarm_.wait(wake_at(), [&](std::size_t client) { advance(client); });
        }
        return refusals_;
    }

private:
    void begin_those_due() {
        const auto due = returning_.upper_bound(Clock::now());
        for (auto i = returning_.begin(); i != due; ++i)
            waiting_.push_back(i->second);
        returning_.erase(returning_.begin(), due);
        while (!waiting_.empty() && under_way_ < at_once_) {
            begin(waiting_.front());
            waiting_.pop_front();
        }
    }

    [[nodiscard]] Clock::time_point wake_at() const {
        const auto soon = Clock::now() + std::chrono::seconds(1);
        return returning_.empty() ? soon : std::min(soon, returning_.begin()->first);
    }

    void begin(std::size_t number) {
        Client& client = swarm_.clients_[number];
        client.socket = begin_connect(swarm_.port_);
        client.state = State::connecting;
        swarm_.watch(number, EPOLLOUT, EPOLL_CTL_ADD);
        ++under_way_;
    }

    void advance(std::size_t number) {
        Client& client = swarm_.clients_[number];
        try {
            switch (client.state) {
                case State::away:
                    return;
                case State::connecting:
                    return ask(number, client);
                case State::upgrading:
                    return on_head(number, client);
                case State::entering:
                case State::inside:
                    return on_bytes(number, client, swarm_.read(client));
            }
        } catch (const ConnectionLost& lost) {
            refuse(number, client, lost.what());
        }
    }

    void ask(std::size_t number, Client& client) {
        if (!send_whole(client.socket, upgrade_request(entry_of_(number).target)))
            throw ConnectionLost("no connection");
        client.state = State::upgrading;
        swarm_.watch(number, EPOLLIN, EPOLL_CTL_MOD);
    }

    void on_head(std::size_t number, Client& client) {
        const std::span<char> bytes = swarm_.read(client);
        client.head.append(bytes.data(), bytes.size());
        const std::size_t end = client.head.find(head_end);
        if (end == std::string::npos) return;
        if (!client.head.starts_with("HTTP/1.1 101"))
            throw ConnectionLost(client.head.substr(0, client.head.find('\r')));
        std::string rest = client.head.substr(end + head_end.size());
        client.head = {};

        const Entry entry = entry_of_(number);
        client.state = State::entering;
        client.welcomes = entry.welcomes;
        if (!entry.hello.empty() && !send_whole(client.socket, frames(entry.hello)))
            throw ConnectionLost("cut off before the first word");
        on_bytes(number, client, rest);
    }

    void on_bytes(std::size_t number, Client& client, std::span<char> bytes) {
        if (marks_.welcome.empty()) marks_ = entry_of_(number);
        decode(client, bytes, [&](std::string_view text) {
            if (client.state != State::entering) return;
            if (!marks_.refusal.empty() && has_mark(text, marks_.refusal))
                throw ConnectionLost(std::string(text));
            if (!has_mark(text, marks_.welcome)) return;
            if (--client.welcomes > 0) return;
            client.state = State::inside;
            client.refusals = 0;
            --under_way_;
            ++inside_;
        });
    }

    void refuse(std::size_t number, Client& client, const std::string& why) {
        // What the Phoenix client does, in milliseconds.
        constexpr std::array<int, 10> pauses{10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000};
        const int pause = pauses[std::min(client.refusals, pauses.size() - 1)];
        --(client.state == State::inside ? inside_ : under_way_);
        const std::size_t refusals = client.refusals + 1;
        swarm_.leave(client);
        client.refusals = refusals;
        returning_.emplace(Clock::now() + std::chrono::milliseconds(pause), number);
        ++refusals_;
        last_refusal_ = "; the last refusal: " + why;
    }

    Swarm& swarm_;
    const std::function<Entry(std::size_t)>& entry_of_;
    std::size_t at_once_;
    Entry marks_;  // Those of all clients.

    std::deque<std::size_t> waiting_;
    std::multimap<Clock::time_point, std::size_t> returning_;
    std::size_t under_way_ = 0;
    std::size_t inside_ = 0;
    std::size_t refusals_ = 0;
    std::string last_refusal_;
};

Swarm::Swarm(std::uint16_t port, std::size_t count)
    : port_(port), poll_(epoll_create1(EPOLL_CLOEXEC)), clients_(count), buffer_(buffer_bytes) {}

Swarm::~Swarm() {
    cut();
    close(poll_);
}

void Swarm::connect() {
    for (std::size_t i = 0; i < size(); ++i) {
        clients_[i].socket = connect_to(port_);
        clients_[i].state = State::inside;
        watch(i, EPOLLIN, EPOLL_CTL_ADD);
    }
}

std::size_t Swarm::enter(const std::function<Entry(std::size_t)>& entry_of, std::size_t at_once) {
    return Crowd(*this, entry_of, at_once).enter();
}

void Swarm::cut() {
    for (Client& client : clients_)
        leave(client);
}

void Swarm::leave(Client& client) const {
    if (client.socket >= 0) close(client.socket);
    client = Client();
}

void Swarm::watch(std::size_t client, std::uint32_t events, int operation) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = client;
    epoll_ctl(poll_, operation, clients_[client].socket, &event);
}

void Swarm::send(std::size_t client, std::span<const std::string> texts) {
    if (!send_whole(clients_[client].socket, frames(texts)))
        throw ConnectionLost("a client lost its connection");
}

std::size_t Swarm::expect(std::string_view mark, std::size_t count) {
    const auto give_up = Clock::now() + patience;
    std::size_t seen = 0;
    std::size_t bytes = 0;
    while (seen < count) {
        const bool some = wait(give_up, [&](std::size_t number) {
            Client& client = clients_[number];
            decode(client, read(client), [&](std::string_view text) {
                if (!has_mark(text, mark)) return;
                ++seen;
                bytes += text.size();
            });
        });
        if (!some) throw std::runtime_error("waited too long for the server");
    }
    return bytes;
}

void Swarm::listen(
    std::string_view mark,
    Clock::time_point until,
    const std::function<bool(std::size_t client)>& heard) {
    bool go_on = true;
    do {
        const bool some = wait(until, [&](std::size_t number) {
            Client& client = clients_[number];
            decode(client, read(client), [&](std::string_view text) {
                if (has_mark(text, mark)) go_on = heard(number) && go_on;
            });
        });
        if (!some) return;
    } while (go_on && Clock::now() < until);
}

void Swarm::settle(const Process& server) {
    constexpr auto while_busy = std::chrono::seconds(5);
    constexpr auto look = std::chrono::milliseconds(50);
    constexpr auto calm = look / 20;
    const auto give_up = Clock::now() + while_busy;
    auto before = server.cpu_time();
    while (Clock::now() < give_up) {
        listen({}, Clock::now() + look, [](std::size_t) { return true; });
        const auto now = server.cpu_time();
        if (now - before < calm) return;
        before = now;
    }
}

template <class Handle>
bool Swarm::wait(Clock::time_point until, Handle&& handle) {
    check_interrupts();
    const auto left = std::max(until - Clock::now(), Clock::duration::zero());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec time{
        .tv_sec = seconds.count(),
        .tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(left - seconds).count()};
    std::array<epoll_event, 256> events{};
    const int ready =
        epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &time, nullptr);
    for (int i = 0; i < ready; ++i)
        handle(events[static_cast<std::size_t>(i)].data.u64);
    check_interrupts();
    return ready > 0;
}

std::span<char> Swarm::read(const Client& client) {
    const ssize_t count = recv(client.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count > 0) return std::span(buffer_).first(static_cast<std::size_t>(count));
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    throw ConnectionLost("the server cut a connection");
}

template <class Heard>
void Swarm::decode(Client& client, std::span<char> bytes, Heard&& heard) {
    client.decoder.feed(bytes);
    while (const auto event = client.decoder.next()) {
        if (event->kind == websocket::Event::Kind::close
            || event->kind == websocket::Event::Kind::failure) {
            throw ConnectionLost("the server closed: " + std::string(event->payload));
        }
        if (event->kind == websocket::Event::Kind::text) heard(event->payload);
    }
}

}  // namespace chatx::tools
