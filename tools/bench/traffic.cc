#include "tools/bench/traffic.h"

#include "tools/bench/measurements.h"

#include <utility>

namespace chatx::tools {

namespace {

std::string room_name(std::size_t number) {
    return "bench-" + std::to_string(number);
}

}  // namespace

Layout one_room(std::size_t subscribers) {
    const std::vector<std::string> room{room_name(0)};
    return {
        .rooms_of = std::vector(subscribers + 1, room),
        .talk = {{.client = 0, .rooms = room}},
        .deliveries = subscribers + 1};
}

// The people stand in as many rows as a room has people, and each row is spread over all rooms. The
// rooms are in as many bands as a person has rooms; a person has one in each band, and the rows are
// shifted against each other, in each band by another step.
Layout overlapping_rooms(std::size_t clients) {
    const std::size_t row = clients / rooms_room_size;
    Layout layout{.rooms_of = {}, .talk = {}, .deliveries = row * rooms_of_each * rooms_room_size};
    for (std::size_t i = 0; i < row * rooms_room_size; ++i) {
        std::vector<std::string>& rooms = layout.rooms_of.emplace_back();
        for (std::size_t band = 0; band < rooms_of_each; ++band) {
            const std::size_t shift = i / row * band;
            rooms.push_back(room_name(band * row + (i + shift) % row));
        }
        if (i < row) layout.talk.push_back({.client = i, .rooms = rooms});
    }
    return layout;
}

std::vector<std::vector<std::string>> separate_rooms(std::size_t clients, std::size_t room_size) {
    std::vector<std::vector<std::string>> rooms_of;
    for (std::size_t i = 0; i < clients; ++i)
        rooms_of.push_back({room_name(i / room_size)});
    return rooms_of;
}

Traffic::Traffic(
    std::unique_ptr<Server> server,
    const Layout& layout,
    std::size_t content_bytes,
    std::size_t times)
    : server_(std::move(server)),
      clients_(server_->port(), layout.rooms_of.size()),
      deliveries_(layout.deliveries * times) {
    for (const Layout::Talk& talk : layout.talk) {
        Words& words = words_.emplace_back(Words{.client = talk.client, .texts = {}});
        for (std::size_t i = 0; i < times; ++i) {
            for (const std::string& room : talk.rooms)
                words.texts.push_back(server_->message(room, content_bytes));
        }
    }
    clients_.enter(
        [&](std::size_t client) { return server_->entry(client, layout.rooms_of[client]); });
    clients_.settle(server_->process());
}

void Traffic::send() {
    for (const Words& words : words_)
        clients_.send(words.client, words.texts);
}

std::size_t Traffic::wave() {
    send();
    return clients_.expect(server_->mark(), deliveries_) / deliveries_;
}

}  // namespace chatx::tools
