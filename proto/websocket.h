#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

/// The WebSocket protocol (RFC 6455) behind the handshake, without extensions and without I/O:
/// bytes in, messages out, and back. Both ends are here, since tests and tools are clients.
namespace chatx::proto::websocket {

/// Which end of the connection this is. A client masks what it sends, a server does not.
enum class Role : std::uint8_t { server, client };

enum class Opcode : std::uint8_t {
    continuation = 0x0,
    text = 0x1,
    binary = 0x2,
    close = 0x8,
    ping = 0x9,
    pong = 0xA,
};

/// Why a connection ends (RFC 6455, 7.4, and the IANA registry). Peers may use 3000 to 4999 as they
/// like, so a value of this type may have no name here.
enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    no_code = 1005,  // Never sent: stands for a close frame without a code.
    invalid_payload = 1007,
    policy_violation = 1008,
    message_too_big = 1009,
    internal_error = 1011,
    service_restart = 1012,
    try_again_later = 1013,
};

using MaskKey = std::array<std::uint8_t, 4>;

/// Longest payload of a ping, pong or close, in bytes.
inline constexpr std::size_t control_size_max = 125;

/// Longest reason in a close frame, in bytes.
inline constexpr std::size_t close_reason_size_max = control_size_max - 2;

/// What a decoder has found.
struct Event {
    enum class Kind : std::uint8_t {
        text,    // A whole message, valid UTF-8.
        binary,  // A whole message.
        ping,    // Answer with a pong of the same payload.
        pong,
        close,    // The peer is done: answer with a close of the same code. The last event.
        failure,  // The peer broke a rule: close with `code`. The last event.
    };

    Kind kind;
    std::string_view payload;  // With `close` the peer's reason, with `failure` a static text that
                               // says what was wrong.
    CloseCode code = CloseCode::no_code;  // With `close` and `failure`.
};

/// Turns the bytes of one connection, cut anywhere, into messages and control frames in the order
/// they came.
///
///     decoder.feed(bytes);
///     while (const auto event = decoder.next()) handle(*event);
///
/// A message in one frame that lies whole in the bytes fed is handed out from there. Anything else
/// is gathered in a buffer that grows with the bytes that came, never with a length that was
/// announced, and is given back with its message: between messages a decoder holds no heap memory.
/// Owned by one connection, lives on its loop.
class Decoder {
public:
    struct Options {
        Role role = Role::server;
        std::size_t message_size_max =
            std::size_t{256} * 1024;  // Bytes of all frames of a message. Beyond: failure 1009.
    };

    explicit Decoder(Options options) : options_(options) {}

    /// Gives the decoder bytes to read. They must stay, and are unmasked in place, until `next` has
    /// returned nothing; not before that may more be fed. After the last event they are ignored.
    void feed(std::span<char> bytes);

    /// The next event, or nothing when it takes more bytes. The payload holds until the next call
    /// of this object.
    [[nodiscard]] std::optional<Event> next();

    /// How many fragments without payload came that end no message, since the last call. They are
    /// allowed, cost work, and meet no bound on messages.
    [[nodiscard]] std::size_t take_empty_fragments() { return std::exchange(empty_fragments_, 0); }

    /// Nothing more will come: the peer closed or broke a rule.
    [[nodiscard]] bool finished() const { return state_ == State::finished; }

    /// Heap memory held for a message under way.
    [[nodiscard]] std::size_t memory_bytes() const;

private:
    enum class State : std::uint8_t { header, payload, finished };

    // A failure, or nothing when all is well.
    using Failed = std::optional<Event>;

    [[nodiscard]] bool gather_header(std::size_t size);
    [[nodiscard]] Failed read_header();
    [[nodiscard]] Failed check_start() const;
    [[nodiscard]] Failed check_size(std::uint64_t size) const;
    [[nodiscard]] std::optional<Event> read_payload();
    [[nodiscard]] std::span<char> take_input(std::size_t size_max);
    void gather_payload(std::span<char> bytes);
    [[nodiscard]] std::string_view gathered() const;
    [[nodiscard]] std::optional<Event> end_frame(std::string_view payload);
    [[nodiscard]] Event end_message(Opcode opcode, std::string_view payload);
    [[nodiscard]] Event end_connection(std::string_view payload);
    [[nodiscard]] Event fail(Event failure);
    void finish();
    void release_message();

    [[nodiscard]] bool is_final() const { return (header_[0] & 0x80) != 0; }

    [[nodiscard]] Opcode opcode() const { return static_cast<Opcode>(header_[0] & 0x0F); }

    [[nodiscard]] bool is_control() const { return (header_[0] & 0x08) != 0; }

    static constexpr std::size_t header_size_max = 14;

    Options options_;
    State state_ = State::header;
    std::span<char> input_;

    // The frame under way.
    std::array<std::uint8_t, header_size_max> header_{};
    std::uint8_t header_size_ = 0;  // Bytes of it that have come.
    MaskKey mask_{};                // Turned so that its first byte meets the next byte of payload.
    std::size_t payload_left_ = 0;

    // The message under way: its first opcode while fragments are missing.
    std::optional<Opcode> fragmented_;
    std::string message_;
    std::size_t empty_fragments_ = 0;
    bool message_given_ = false;  // The caller may look at `message_` until its next call.

    // A control frame under way.
    std::array<char, control_size_max> control_{};
    std::uint8_t control_size_ = 0;
};

/// How a frame is written.
struct FrameOptions {
    bool final = true;            // False: further fragments follow, with `Opcode::continuation`.
    std::optional<MaskKey> mask;  // Set in the role of a client.
};

/// The bytes in front of a server's payload, 2 to 10 of them.
struct FrameHeader {
    std::array<char, 10> bytes;
    std::size_t size;

    [[nodiscard]] std::string_view view() const { return {bytes.data(), size}; }
};

/// The header of a whole, unmasked message, for payloads that are framed once and sent to many.
[[nodiscard]] FrameHeader frame_header(Opcode opcode, std::size_t payload_size);

/// Appends one frame. Asserts that a control frame is final and has at most `control_size_max`
/// bytes.
void append_frame(
    std::string& out, Opcode opcode, std::string_view payload, const FrameOptions& options = {});

/// Appends a close frame. A reason that is too long is cut between two characters; `no_code` makes
/// an empty payload.
void append_close(
    std::string& out, CloseCode code, std::string_view reason, const FrameOptions& options = {});

}  // namespace chatx::proto::websocket
