#pragma once

#include "tools/bench/server.h"
#include "tools/bench/swarm.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace chatx::tools {

/// Who is in which rooms, and who talks in which.
struct Layout {
    struct Talk {
        std::size_t client;
        std::vector<std::string> rooms;
    };

    std::vector<std::vector<std::string>> rooms_of;  // By client.
    std::vector<Talk> talk;
    std::size_t deliveries;  // When each talks once in each of its rooms.
};

/// One room with so many subscribers, and one more client, who talks.
Layout one_room(std::size_t subscribers);

/// Rooms of `rooms_room_size` people, each of whom is in `rooms_of_each` of them. There are as many
/// rooms as that makes, and no two people need to have more than one room in common. A tenth of the
/// people talks, and each room has one of them. `clients` is a multiple of the size of a room.
Layout overlapping_rooms(std::size_t clients);

/// So many clients in rooms of this size, without a talk.
std::vector<std::vector<std::string>> separate_rooms(std::size_t clients, std::size_t room_size);

/// A server whose clients talk in their rooms.
class Traffic {
public:
    /// Everybody enters. A wave has `times` messages of each talk.
    Traffic(
        std::unique_ptr<Server> server,
        const Layout& layout,
        std::size_t content_bytes,
        std::size_t times);

    [[nodiscard]] const Server& server() const { return *server_; }

    [[nodiscard]] Swarm& clients() { return clients_; }

    [[nodiscard]] std::size_t deliveries_per_wave() const { return deliveries_; }

    /// All talk at once.
    void send();

    /// The same, and waits until everything has arrived. Returns the bytes of text in a delivery.
    std::size_t wave();

private:
    struct Words {
        std::size_t client;
        std::vector<std::string> texts;
    };

    std::unique_ptr<Server> server_;
    Swarm clients_;
    std::vector<Words> words_;
    std::size_t deliveries_;
};

}  // namespace chatx::tools
