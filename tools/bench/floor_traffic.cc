#include "tools/bench/floor_traffic.h"

#include "proto/websocket.h"

#include <string>

namespace chatx::tools {

namespace {

/// Messages framed as a server frames them.
std::string frames(std::size_t text_bytes, std::size_t count) {
    std::string text(FloorTraffic::mark);
    text.resize(text_bytes, 'x');
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i)
        proto::websocket::append_frame(bytes, proto::websocket::Opcode::text, text);
    return bytes;
}

}  // namespace

FloorTraffic::FloorTraffic(
    std::size_t clients, std::size_t messages_for_each, std::size_t text_bytes)
    : floor_(frames(text_bytes, messages_for_each)),
      clients_(floor_.port(), clients),
      deliveries_(clients * messages_for_each) {
    clients_.connect();
    floor_.accept(clients);
}

void FloorTraffic::send() {
    if (sending_) floor_.end_send();
    floor_.begin_send();
    sending_ = true;
}

void FloorTraffic::wave() {
    send();
    clients_.expect(mark, deliveries_);
}

}  // namespace chatx::tools
