#pragma once

#include "proto/websocket.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What the tests of the WebSocket codec share.
namespace chatx::proto::websocket {

/// An event that owns its payload.
struct Seen {
    Event::Kind kind;
    std::string payload;
    CloseCode code = CloseCode::no_code;
    bool operator==(const Seen&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << "kind " << static_cast<int>(seen.kind) << ", code " << static_cast<int>(seen.code)
               << ", payload of " << seen.payload.size() << ": " << seen.payload.substr(0, 40);
}

/// Feeds bytes and takes all that comes of them.
inline void feed(Decoder& decoder, std::string bytes, std::vector<Seen>& seen) {
    decoder.feed(bytes);
    while (const auto event = decoder.next()) {
        seen.push_back({event->kind, std::string(event->payload), event->code});
    }
}

/// What a fresh decoder makes of bytes that come in chunks of one size.
inline std::vector<Seen> decode(
    std::string_view bytes,
    const Decoder::Options& options = {},
    std::size_t chunk_size = std::string_view::npos) {
    Decoder decoder(options);
    std::vector<Seen> seen;
    while (!bytes.empty()) {
        const auto chunk = bytes.substr(0, chunk_size);
        bytes.remove_prefix(chunk.size());
        feed(decoder, std::string(chunk), seen);
    }
    return seen;
}

inline constexpr MaskKey test_mask{0x37, 0xFA, 0x21, 0x3D};

/// A frame as a client sends it.
inline std::string client_frame(Opcode opcode, std::string_view payload, bool final = true) {
    std::string out;
    append_frame(out, opcode, payload, {.final = final, .mask = test_mask});
    return out;
}

/// A frame as a server sends it.
inline std::string server_frame(Opcode opcode, std::string_view payload, bool final = true) {
    std::string out;
    append_frame(out, opcode, payload, {.final = final, .mask = std::nullopt});
    return out;
}

/// Two digits for each byte, spaces between them or not.
inline std::string from_hex(std::string_view digits) {
    std::string bytes;
    std::string pair;
    for (const char digit : digits) {
        if (digit == ' ') continue;
        pair += digit;
        if (pair.size() < 2) continue;
        bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
        pair.clear();
    }
    return bytes;
}

}  // namespace chatx::proto::websocket
