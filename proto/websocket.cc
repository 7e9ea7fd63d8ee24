#include "proto/websocket.h"

#include <chatx/assert.h>

#include "proto/utf8.h"

#include <algorithm>
#include <cstring>

namespace chatx::proto::websocket {

namespace {

constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t size_bits = 0x7F;
constexpr std::uint8_t size_in_2_bytes = 126;
constexpr std::uint8_t size_in_8_bytes = 127;

Event failure(CloseCode code, std::string_view what) {
    return {Event::Kind::failure, what, code};
}

Event broken_rule(std::string_view what) {
    return failure(CloseCode::protocol_error, what);
}

bool is_known(Opcode opcode) {
    switch (opcode) {
        case Opcode::continuation:
        case Opcode::text:
        case Opcode::binary:
        case Opcode::close:
        case Opcode::ping:
        case Opcode::pong:
            return true;
    }
    return false;
}

/// Bytes that follow the first two to say the size.
std::size_t size_of_size(std::uint8_t second) {
    switch (second & size_bits) {
        case size_in_2_bytes:
            return 2;
        case size_in_8_bytes:
            return 8;
        default:
            return 0;
    }
}

std::uint64_t read_big_endian(std::span<const std::uint8_t> bytes) {
    std::uint64_t value = 0;
    for (const auto byte : bytes)
        value = value << 8 | byte;
    return value;
}

/// Codes that may stand in a close frame.
bool may_be_sent(std::uint16_t code) {
    if (code >= 3000) return code < 5000;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/// XORs `bytes` with the key, over and over, eight bytes at a time.
void apply_mask(std::span<char> bytes, const MaskKey& key) {
    std::array<std::uint8_t, 8> twice{};
    std::ranges::copy(key, twice.begin());
    std::ranges::copy(key, twice.begin() + 4);
    std::uint64_t mask = 0;
    std::memcpy(&mask, twice.data(), sizeof mask);
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        word ^= mask;
        std::memcpy(bytes.data() + at, &word, sizeof word);
    }
    for (; at < bytes.size(); ++at)
        bytes[at] = static_cast<char>(bytes[at] ^ key[at % 4]);
}

}  // namespace

void Decoder::feed(std::span<char> bytes) {
    CHATX_ASSERT(input_.empty());
    release_message();
    if (!finished()) input_ = bytes;
}

std::optional<Event> Decoder::next() {
    release_message();
    while (true) {
        switch (state_) {
            case State::finished:
                return std::nullopt;
            case State::header: {
                if (!gather_header(2)) return std::nullopt;
                if (const auto failed = check_start()) return fail(*failed);
                const std::size_t mask_size = options_.role == Role::server ? 4 : 0;
                if (!gather_header(2 + size_of_size(header_[1]) + mask_size)) return std::nullopt;
                if (const auto failed = read_header()) return fail(*failed);
                break;
            }
            case State::payload:
                if (const auto event = read_payload()) return event;
                if (payload_left_ > 0) return std::nullopt;
                break;
        }
    }
}

std::size_t Decoder::memory_bytes() const {
    const auto without_heap = std::string().capacity();
    return message_.capacity() > without_heap ? message_.capacity() : 0;
}

/// True when the header has that many bytes.
bool Decoder::gather_header(std::size_t size) {
    if (header_size_ < size) {
        const auto bytes = take_input(size - header_size_);
        std::ranges::copy(bytes, header_.begin() + header_size_);
        header_size_ = static_cast<std::uint8_t>(header_size_ + bytes.size());
    }
    return header_size_ >= size;
}

/// What the first two bytes can get wrong.
Decoder::Failed Decoder::check_start() const {
    if ((header_[0] & reserved_bits) != 0) return broken_rule("reserved bits are set");
    if (!is_known(opcode())) return broken_rule("unknown opcode");
    const bool masked = (header_[1] & mask_bit) != 0;
    if (masked != (options_.role == Role::server)) {
        return broken_rule(masked ? "server frame is masked" : "client frame is not masked");
    }
    if (is_control()) {
        if (!is_final()) return broken_rule("control frame is fragmented");
        const bool fits = (header_[1] & size_bits) <= control_size_max;
        return fits ? Failed() : broken_rule("control frame is too long");
    }
    if (opcode() == Opcode::continuation) {
        return fragmented_ ? Failed() : broken_rule("continuation of nothing");
    }
    return fragmented_ ? broken_rule("message inside a message") : Failed();
}

/// What a whole header says; the state moves on to the payload.
Decoder::Failed Decoder::read_header() {
    const std::span<const std::uint8_t> header(header_);
    const auto size_bytes = size_of_size(header_[1]);
    const auto size =
        size_bytes == 0 ? header_[1] & size_bits : read_big_endian(header.subspan(2, size_bytes));
    if (const auto failed = check_size(size)) return failed;
    if (options_.role == Role::server) {
        std::ranges::copy(header.subspan(2 + size_bytes, mask_.size()), mask_.begin());
    }
    if (size == 0 && !is_final()) ++empty_fragments_;
    payload_left_ = static_cast<std::size_t>(size);
    control_size_ = 0;
    header_size_ = 0;
    state_ = State::payload;
    return std::nullopt;
}

Decoder::Failed Decoder::check_size(std::uint64_t size) const {
    switch (header_[1] & size_bits) {
        case size_in_2_bytes:
            if (size < size_in_2_bytes) return broken_rule("length is not in its shortest form");
            break;
        case size_in_8_bytes:
            if (size >> 63 != 0) return broken_rule("length has its top bit set");
            if (size <= 0xFFFF) return broken_rule("length is not in its shortest form");
            break;
        default:
            break;
    }
    if (is_control()) return std::nullopt;
    // Never negative: what was gathered passed this check.
    if (size > options_.message_size_max - message_.size()) {
        return failure(CloseCode::message_too_big, "message is too big");
    }
    return std::nullopt;
}

std::optional<Event> Decoder::read_payload() {
    const bool whole = input_.size() >= payload_left_;
    const bool from_start = is_control() ? control_size_ == 0 : !fragmented_ && message_.empty();
    const auto bytes = take_input(payload_left_);
    payload_left_ -= bytes.size();
    if (options_.role == Role::server) {
        apply_mask(bytes, mask_);
        const auto turn = static_cast<std::ptrdiff_t>(bytes.size() % mask_.size());
        std::rotate(mask_.begin(), mask_.begin() + turn, mask_.end());
    }
    const bool in_place = whole && from_start && is_final();
    if (!in_place) gather_payload(bytes);
    if (payload_left_ > 0) return std::nullopt;
    state_ = State::header;
    return end_frame(in_place ? std::string_view(bytes.data(), bytes.size()) : gathered());
}

std::span<char> Decoder::take_input(std::size_t size_max) {
    const auto taken = input_.first(std::min(size_max, input_.size()));
    input_ = input_.subspan(taken.size());
    return taken;
}

void Decoder::gather_payload(std::span<char> bytes) {
    if (is_control()) {
        std::ranges::copy(bytes, control_.begin() + control_size_);
        control_size_ = static_cast<std::uint8_t>(control_size_ + bytes.size());
    } else {
        message_.append(bytes.data(), bytes.size());
    }
}

std::string_view Decoder::gathered() const {
    if (is_control()) return {control_.data(), control_size_};
    return message_;
}

/// The event of a frame that is complete; nothing for a fragment that is not the last.
std::optional<Event> Decoder::end_frame(std::string_view payload) {
    switch (opcode()) {
        case Opcode::ping:
            return Event{Event::Kind::ping, payload};
        case Opcode::pong:
            return Event{Event::Kind::pong, payload};
        case Opcode::close:
            return end_connection(payload);
        default:
            break;
    }
    const auto first_opcode = fragmented_.value_or(opcode());
    if (is_final()) return end_message(first_opcode, payload);
    fragmented_ = first_opcode;
    return std::nullopt;
}

Event Decoder::end_message(Opcode opcode, std::string_view payload) {
    fragmented_.reset();
    message_given_ = true;
    if (opcode == Opcode::binary) return {Event::Kind::binary, payload};
    if (!is_utf8(payload)) return fail(failure(CloseCode::invalid_payload, "text is not UTF-8"));
    return {Event::Kind::text, payload};
}

Event Decoder::end_connection(std::string_view payload) {
    if (payload.size() == 1) return fail(broken_rule("close code is cut off"));
    finish();
    if (payload.empty()) return {Event::Kind::close, {}, CloseCode::no_code};
    const auto high = static_cast<std::uint8_t>(payload[0]);
    const auto low = static_cast<std::uint8_t>(payload[1]);
    const auto code = static_cast<std::uint16_t>(high << 8 | low);
    if (!may_be_sent(code)) return fail(broken_rule("close code may not be sent"));
    const auto reason = payload.substr(2);
    if (!is_utf8(reason)) {
        return fail(failure(CloseCode::invalid_payload, "close reason is not UTF-8"));
    }
    return {Event::Kind::close, reason, static_cast<CloseCode>(code)};
}

Event Decoder::fail(Event failure) {
    finish();
    return failure;
}

void Decoder::finish() {
    state_ = State::finished;
    input_ = {};
    message_given_ = true;
    release_message();
}

void Decoder::release_message() {
    if (!message_given_) return;
    message_given_ = false;
    std::string().swap(message_);
}

FrameHeader frame_header(Opcode opcode, std::size_t payload_size) {
    FrameHeader header{};
    header.bytes[0] = static_cast<char>(final_bit | static_cast<std::uint8_t>(opcode));
    std::size_t size_bytes = 0;
    if (payload_size < size_in_2_bytes) {
        header.bytes[1] = static_cast<char>(payload_size);
    } else if (payload_size <= 0xFFFF) {
        header.bytes[1] = static_cast<char>(size_in_2_bytes);
        size_bytes = 2;
    } else {
        header.bytes[1] = static_cast<char>(size_in_8_bytes);
        size_bytes = 8;
    }
    for (std::size_t i = 0; i < size_bytes; ++i) {
        header.bytes[2 + i] = static_cast<char>(payload_size >> (8 * (size_bytes - 1 - i)));
    }
    header.size = 2 + size_bytes;
    return header;
}

void append_frame(
    std::string& out, Opcode opcode, std::string_view payload, const FrameOptions& options) {
    const bool is_control = (static_cast<std::uint8_t>(opcode) & 0x08) != 0;
    CHATX_ASSERT(!is_control || (options.final && payload.size() <= control_size_max));
    auto header = frame_header(opcode, payload.size());
    if (!options.final) header.bytes[0] = static_cast<char>(header.bytes[0] & ~final_bit);
    if (options.mask) header.bytes[1] = static_cast<char>(header.bytes[1] | mask_bit);
    out += header.view();
    if (options.mask) out.append(options.mask->begin(), options.mask->end());
    const auto payload_at = out.size();
    out += payload;
    if (options.mask) apply_mask(std::span(out).subspan(payload_at), *options.mask);
}

void append_close(
    std::string& out, CloseCode code, std::string_view reason, const FrameOptions& options) {
    std::string payload;
    if (code != CloseCode::no_code) {
        const auto number = static_cast<std::uint16_t>(code);
        payload += static_cast<char>(number >> 8);
        payload += static_cast<char>(number & 0xFF);
        payload += utf8_prefix(reason, close_reason_size_max);
    }
    append_frame(out, Opcode::close, payload, options);
}

}  // namespace chatx::proto::websocket
