#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Messages for tests, made from few words.
namespace chatx::test {

inline RoomId room_named(std::string_view name) {
    return RoomId::parse(name).value();
}

inline UserId user_named(std::string_view name) {
    return UserId::parse(name).value();
}

/// An id that no other room and place has, as long as seqs stay below 2^20.
inline MessageId id_at(const RoomId& room, std::uint64_t seq) {
    std::uint64_t mixed = 14695981039346656037U;  // FNV-1a.
    for (const char byte : room.text())
        mixed = (mixed ^ static_cast<unsigned char>(byte)) * 1099511628211U;
    return MessageId{(mixed << 20) | seq};
}

inline Message message_at(const RoomId& room, std::uint64_t seq, Epoch epoch = Epoch{0, 1, 0}) {
    return Message{
        id_at(room, seq),
        room,
        user_named("alice"),
        "words " + std::to_string(seq),
        WallTime(WallTime::duration(1'750'000'000'000 + static_cast<std::int64_t>(seq))),
        epoch,
        Seq{seq},
        "client-" + std::to_string(seq),
        std::nullopt};
}

inline MessagePtr shared(Message message) {
    return std::make_shared<const Message>(std::move(message));
}

inline MessagePtr message_ptr(const RoomId& room, std::uint64_t seq, Epoch epoch = Epoch{0, 1, 0}) {
    return shared(message_at(room, seq, epoch));
}

/// The messages at `first` to `last`, both included.
inline std::vector<MessagePtr> messages(
    const RoomId& room, std::uint64_t first, std::uint64_t last, Epoch epoch = Epoch{0, 1, 0}) {
    std::vector<MessagePtr> made;
    made.reserve(last + 1 - first);
    for (auto seq = first; seq <= last; ++seq)
        made.push_back(message_ptr(room, seq, epoch));
    return made;
}

/// What two lists of messages are compared by.
inline std::vector<Message> values(const std::vector<MessagePtr>& pointers) {
    std::vector<Message> found;
    found.reserve(pointers.size());
    for (const auto& pointer : pointers)
        found.push_back(*pointer);
    return found;
}

inline std::vector<std::uint64_t> seqs(const std::vector<MessagePtr>& pointers) {
    std::vector<std::uint64_t> found;
    found.reserve(pointers.size());
    for (const auto& pointer : pointers)
        found.push_back(pointer->seq.value);
    return found;
}

}  // namespace chatx::test
