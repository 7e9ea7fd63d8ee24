#include "node/gateway/websocket_transport.h"

namespace chatx::node {

namespace websocket = proto::websocket;

void WebSocketTransport::send_text(std::string_view message) {
    websocket::append_frame(outbox_.buffer(), websocket::Opcode::text, message);
    outbox_.check();
}

void WebSocketTransport::send_binary(std::string_view message) {
    websocket::append_frame(outbox_.buffer(), websocket::Opcode::binary, message);
    outbox_.check();
}

void WebSocketTransport::close(websocket::CloseCode code, std::string_view reason) {
    websocket::append_close(outbox_.buffer(), code, reason);
    outbox_.check();
}

}  // namespace chatx::node
