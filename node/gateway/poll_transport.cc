#include "node/gateway/poll_transport.h"

#include <iterator>
#include <utility>

namespace chatx::node {

void PollTransport::send_text(std::string_view message) {
    if (full_) return;
    frames_.emplace_back(message);
    bytes_ += message.size();
    if (frames_.size() == 1) on_change_();
    check();
}

void PollTransport::send_binary(std::string_view /*message*/) {}

void PollTransport::send(const Framed& message) {
    if (!message.is_binary()) send_text(message.message());
}

void PollTransport::close(proto::websocket::CloseCode /*code*/, std::string_view /*reason*/) {
    on_change_();
}

std::vector<std::string> PollTransport::take() {
    bytes_ = 0;
    return std::exchange(frames_, {});
}

void PollTransport::put_back(std::vector<std::string> frames) {
    for (const std::string& frame : frames)
        bytes_ += frame.size();
    frames.insert(
        frames.end(),
        std::make_move_iterator(frames_.begin()),
        std::make_move_iterator(frames_.end()));
    frames_ = std::move(frames);
    on_change_();
    check();
}

void PollTransport::check() {
    if (full_ || (bytes_ <= limits_.bytes_max && frames_.size() <= limits_.frames_max)) return;
    full_ = true;
    on_change_();
}

}  // namespace chatx::node
