#include "node/framed.h"

#include "proto/websocket.h"

namespace chatx::node {

namespace websocket = proto::websocket;

Framed Framed::text(std::string_view message) {
    Framed framed;
    websocket::append_frame(framed.bytes_, websocket::Opcode::text, message);
    framed.header_size_ = static_cast<std::uint8_t>(framed.bytes_.size() - message.size());
    return framed;
}

Framed Framed::binary(std::string_view message) {
    Framed framed;
    websocket::append_frame(framed.bytes_, websocket::Opcode::binary, message);
    framed.header_size_ = static_cast<std::uint8_t>(framed.bytes_.size() - message.size());
    framed.binary_ = true;
    return framed;
}

}  // namespace chatx::node
