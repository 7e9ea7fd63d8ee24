#include "node/gateway/outbox.h"

#include <chatx/assert.h>

#include <utility>

namespace chatx::node {

std::string BufferPool::take() {
    if (buffers_.empty()) return {};
    std::string buffer = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
}

void BufferPool::give_back(std::string buffer) {
    if (buffers_.size() >= buffers_max || buffer.capacity() > buffer_bytes_max) return;
    if (buffer.capacity() == std::string().capacity())
        return;  // Has no memory that is worth keeping.
    buffer.clear();
    buffers_.push_back(std::move(buffer));
}

Outbox::~Outbox() {
    clear();
}

void Outbox::append(std::string_view frame) {
    if (overflowed_) return;
    if (size() + frame.size() > limits_.bytes_max) owner_.on_outbox_full();
    if (size() + frame.size() > limits_.bytes_max) {
        overflowed_ = true;
        return;
    }
    buffer().append(frame);
}

bool Outbox::offer(std::string_view frame) {
    if (overflowed_) return false;
    if (size() + frame.size() > limits_.offered_max) owner_.on_outbox_full();
    if (size() + frame.size() > limits_.offered_max) return false;
    buffer().append(frame);
    return true;
}

std::string& Outbox::buffer() {
    if (empty()) {
        if (buffer_.capacity() == std::string().capacity()) buffer_ = pool_.take();
        owner_.on_outbox_filled();
    }
    return buffer_;
}

void Outbox::check() {
    if (size() > limits_.bytes_max) owner_.on_outbox_full();
    if (size() > limits_.bytes_max) overflowed_ = true;
}

void Outbox::sent(std::size_t count, TimePoint now) {
    CHATX_ASSERT(count <= size());
    sent_ += count;
    if (empty()) {
        sent_before_ += sent_;
        sent_ = 0;
        mark_.reset();
        buffer_.clear();
        pool_.give_back(std::exchange(buffer_, {}));
        return;
    }
    // What is sent is cut off once it is the larger part, so that each byte moves at most once.
    if (sent_ > buffer_.size() / 2) {
        buffer_.erase(0, sent_);
        sent_before_ += std::exchange(sent_, 0);
    }
    if (mark_ && sent_before_ + sent_ >= mark_->position) {
        mark_.reset();
        blocked(now);
    }
}

void Outbox::blocked(TimePoint now) {
    if (!mark_ && !empty()) mark_ = Mark{sent_before_ + buffer_.size(), now};
}

bool Outbox::too_old(TimePoint now) const {
    return mark_ && now - mark_->since > limits_.age_max;
}

void Outbox::clear() {
    sent_before_ += buffer_.size();
    sent_ = 0;
    mark_.reset();
    buffer_.clear();
    pool_.give_back(std::exchange(buffer_, {}));
}

}  // namespace chatx::node
