#include "proto/websocket.h"

#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace websocket = chatx::proto::websocket;

struct Seen {
    websocket::Event::Kind kind;
    std::string payload;
    websocket::CloseCode code;
    bool operator==(const Seen&) const = default;
};

/// What a server makes of bytes that come in chunks of one size.
std::vector<Seen> decode(std::string bytes, std::size_t chunk_size) {
    websocket::Decoder decoder({.role = websocket::Role::server, .message_size_max = 4096});
    std::vector<Seen> seen;
    for (std::size_t start = 0; start < bytes.size(); start += chunk_size) {
        const std::size_t count = std::min(chunk_size, bytes.size() - start);
        decoder.feed(std::span(bytes).subspan(start, count));
        while (const auto event = decoder.next())
            seen.push_back({event->kind, std::string(event->payload), event->code});
    }
    return seen;
}

}  // namespace

// How bytes are cut on their way makes no difference.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(chatx::fuzz::to_text(data, size));
    if (bytes.empty()) return 0;
    const auto whole = decode(bytes, bytes.size());
    CHATX_ASSERT(decode(bytes, 1) == whole);
    CHATX_ASSERT(decode(bytes, 1 + data[0] % 16) == whole);
    return 0;
}
