#include "node/gateway/poll_exchange.h"

#include <utility>

namespace chatx::node {

PollExchange::PollExchange(LongPoll& polls, PollRequest request, OnAnswer on_answer)
    : polls_(polls), request_(std::move(request)), on_answer_(std::move(on_answer)) {}

PollExchange::~PollExchange() {
    if (number_ != 0) polls_.abandon(number_);
}

std::size_t PollExchange::take(std::string_view bytes) {
    bytes = bytes.substr(0, request_.body_bytes - body_.size());
    body_.append(bytes);
    return bytes.size();
}

void PollExchange::ask() {
    if (request_.post) {
        number_ = polls_.post(request_.token, request_.content_type, std::move(body_), *this);
    } else {
        number_ = polls_.get(request_.token, *this);
    }
}

bool PollExchange::on_poll_answer(const PollAnswer& answer) {
    number_ = 0;
    const OnAnswer tell = std::move(on_answer_);  // Outlives the exchange, if need be.
    return tell(answer);
}

}  // namespace chatx::node
