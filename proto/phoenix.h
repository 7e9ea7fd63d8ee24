#pragma once

#include "proto/json.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

/// The text frames of Phoenix Channels: what a client says is read with `decode`, what a server
/// says is appended to a string by one `append_...` for each shape. What is done about a frame is
/// not decided here.
namespace chatx::proto::phoenix {

/// Which shape frames have: v1 is an object, v2 an array. Fixed when a connection opens.
enum class Version : std::uint8_t { v1, v2 };

/// What the `vsn` parameter of a connection asks for: 1.0.x or 2.0.x, and nothing else. A
/// connection that has no such parameter speaks v1.
[[nodiscard]] std::optional<Version> parse_vsn(std::string_view vsn);

/// A mark that a client puts on what it sends, to know the answer by: a JSON scalar that means
/// nothing here and goes back with its type. Equal are those of the same value and type, so 1 is
/// not "1".
class Ref {
public:
    static constexpr std::size_t size_max = 64;  // Bytes as JSON.

    Ref() = default;  // null
    static Ref string(std::string_view text);

    /// Nothing when the value is an array or an object, or larger than `size_max`.
    [[nodiscard]] static std::optional<Ref> from(const json::Value& value);

    [[nodiscard]] bool is_null() const { return json_ == "null"; }

    [[nodiscard]] const std::string& json() const { return json_; }

    /// What a binary frame says for it: the text itself, nothing for null. Absent for what a binary
    /// frame cannot say: other scalars, and texts that JSON escapes.
    [[nodiscard]] std::optional<std::string_view> plain_text() const;

    bool operator==(const Ref&) const = default;

private:
    explicit Ref(std::string json) : json_(std::move(json)) {}

    std::string json_ = "null";
};

/// Longest topic and longest event, in bytes: what one byte can count in a binary frame.
inline constexpr std::size_t name_size_max = 255;

/// What a client said.
struct Frame {
    Ref join_ref;  // The ref of the join that the frame belongs to.
    Ref ref;
    std::string topic;    // Any text: whether it names something is not decided here.
    std::string event;    // 1 to `name_size_max` bytes without control characters.
    json::Value payload;  // Of any kind.
    bool operator==(const Frame&) const = default;
};

/// Not a frame. Closes the connection with 1002.
struct Malformed {
    std::string_view what;  // A static text.
    bool operator==(const Malformed&) const = default;
};

/// Reads one text frame. What a v2 array has behind its fifth element is ignored; v1 may lack
/// `join_ref` alone.
[[nodiscard]] std::variant<Frame, Malformed> decode(
    json::Parser& parser, Version version, std::string_view text);

// ---- what is said ----

/// The topic of what is about the connection and not a channel.
inline constexpr std::string_view connection_topic = "phoenix";

inline constexpr std::string_view heartbeat_event = "heartbeat";
inline constexpr std::string_view join_event = "phx_join";
inline constexpr std::string_view leave_event = "phx_leave";
inline constexpr std::string_view reply_event = "phx_reply";
inline constexpr std::string_view close_event = "phx_close";
inline constexpr std::string_view error_event = "phx_error";
inline constexpr std::string_view presence_state_event = "presence_state";
inline constexpr std::string_view presence_diff_event = "presence_diff";

// Phoenix's own reasons, beside those of errors.h.
inline constexpr std::string_view unmatched_topic = "unmatched topic";
inline constexpr std::string_view too_many_channels = "too many channels joined";
inline constexpr std::string_view channel_crash = "channel_crash";

// And one of our own, of memberships that end.
inline constexpr std::string_view slow_consumer = "slow_consumer";

/// Events that a client may not send to others: one named `chan_reply_...` would fake a reply on
/// their channels, `phx_close` a close.
[[nodiscard]] bool is_reserved_event(std::string_view event);

/// Names that every JavaScript object already has. As a presence key they crash clients
/// (CVE-2026-56812).
[[nodiscard]] bool is_prototype_key(std::string_view key);

// ---- encoders ----
// Each appends one whole frame. A `..._json` is spliced in as it is: JSON, and an object, since
// clients look inside.

/// Any frame; also what a client sends.
struct FrameView {
    const Ref& join_ref;  // Left out in v1.
    const Ref& ref;
    std::string_view topic;
    std::string_view event;
    std::string_view payload_json;
};

void append_frame(std::string& out, Version version, const FrameView& frame);

enum class Status : std::uint8_t { ok, error };

/// The answer to a frame: its refs come back.
struct Reply {
    const Ref& join_ref;
    const Ref& ref;
    std::string_view topic;
    Status status = Status::ok;
    std::string_view response_json = "{}";
};

void append_reply(std::string& out, Version version, const Reply& reply);

/// Something for one member.
struct Push {
    const Ref& join_ref;
    std::string_view topic;
    std::string_view event;
    std::string_view payload_json;
};

void append_push(std::string& out, Version version, const Push& push);

/// Something for all members: the same bytes for each, so encode it once.
struct Broadcast {
    std::string_view topic;
    std::string_view event;
    std::string_view payload_json;
};

void append_broadcast(std::string& out, Version version, const Broadcast& broadcast);

/// A membership ended for good: clients do not come back by themselves.
void append_close(std::string& out, Version version, const Ref& join_ref, std::string_view topic);

/// A membership ended, and not because anybody wanted it: clients join again by themselves.
void append_error(
    std::string& out,
    Version version,
    const Ref& join_ref,
    std::string_view topic,
    std::string_view reason);

/// The answer to a heartbeat.
void append_heartbeat_reply(std::string& out, Version version, const Ref& ref);

/// The answer to a frame for a topic that nobody serves, or that the connection has not joined.
void append_unmatched_topic(
    std::string& out, Version version, const Ref& ref, std::string_view topic);

}  // namespace chatx::proto::phoenix
