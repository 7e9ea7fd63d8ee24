#include "node/payloads.h"

#include "proto/json.h"
#include "proto/message_json.h"
#include "proto/phoenix.h"
#include "proto/phoenix_binary.h"

#include <type_traits>
#include <utility>

namespace chatx::node {

namespace json = proto::json;
namespace phoenix = proto::phoenix;

namespace {

template <class Fill>
std::string object(Fill&& fill) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    fill(writer);
    writer.end_object();
    return text;
}

void write_metas(json::Writer& writer, const std::vector<engine::PresenceMeta>& metas) {
    writer.begin_object();
    writer.key("metas");
    writer.begin_array();
    for (const engine::PresenceMeta& meta : metas) {
        writer.begin_object();
        writer.key("phx_ref");
        writer.string(meta.ref);
        if (!meta.ref_previous.empty()) {
            writer.key("phx_ref_prev");
            writer.string(meta.ref_previous);
        }
        writer.key("online_at");
        writer.number(meta.online_at_s);
        writer.raw_members(meta.fields);
        writer.end_object();
    }
    writer.end_array();
    writer.end_object();
}

void write_presence(json::Writer& writer, const engine::PresenceMap& presence) {
    writer.begin_object();
    for (const auto& [user, metas] : presence) {
        writer.key(user);
        write_metas(writer, metas);
    }
    writer.end_object();
}

/// Below this a page may be empty: whoever has so little space is better served by the next one.
constexpr std::size_t page_bytes_least = std::size_t{16} * 1024;

struct Page {
    bool oldest_first;
    std::size_t bytes_max;
};

/// Encodes messages until the page is full. Oldest first the end is cut, else the beginning: what
/// is left ends at the room's head. Returns whether something was cut.
bool write_messages(
    json::Writer& writer, const std::vector<MessagePtr>& messages, const Page& page) {
    std::vector<std::string> encoded;
    encoded.reserve(messages.size());
    for (const MessagePtr& message : messages)
        encoded.push_back(to_json(*message));

    std::size_t bytes = 0;
    std::size_t count = 0;
    while (count < encoded.size()) {
        bytes += encoded[page.oldest_first ? count : encoded.size() - 1 - count].size();
        if (bytes > page.bytes_max && (count > 0 || page.bytes_max < page_bytes_least)) break;
        ++count;
    }
    const std::size_t first = page.oldest_first ? 0 : encoded.size() - count;
    writer.begin_array();
    for (std::size_t i = first; i < first + count; ++i)
        writer.raw(encoded[i]);
    writer.end_array();
    return count < encoded.size();
}

std::string event_payload(const MessagePtr& message) {
    return to_json(*message);
}

std::string event_payload(const engine::PresenceDiff& diff) {
    return to_json(diff);
}

std::string event_payload(const engine::PresenceState& state) {
    return to_json(*state.members);
}

std::string event_payload(const engine::Occupancy& occupancy) {
    return to_json(occupancy);
}

std::string event_payload(const engine::Typing& typing) {
    return object([&](json::Writer& writer) {
        writer.key("user_id");
        writer.string(typing.user.text());
    });
}

constexpr std::string_view event_name(const MessagePtr& /*message*/) {
    return "new_message";
}

constexpr std::string_view event_name(const engine::PresenceDiff& /*diff*/) {
    return phoenix::presence_diff_event;
}

constexpr std::string_view event_name(const engine::PresenceState& /*state*/) {
    return phoenix::presence_state_event;
}

constexpr std::string_view event_name(const engine::Occupancy& /*occupancy*/) {
    return occupancy_event;
}

constexpr std::string_view event_name(const engine::Typing& /*typing*/) {
    return "typing";
}

}  // namespace

std::string topic_of(const RoomId& room) {
    return "room:" + room.text();
}

Framed broadcast_frame(
    const RoomId& room, const engine::RoomNews& event, phoenix::Version version) {
    return std::visit(
        [&](const auto& what) {
            std::string message;
            const std::string topic = topic_of(room);
            if constexpr (std::is_same_v<std::decay_t<decltype(what)>, engine::Signal>) {
                phoenix::append_binary_broadcast(message, {topic, what.event, what.payload});
                return Framed::binary(message);
            } else {
                const std::string payload = event_payload(what);
                phoenix::append_broadcast(message, version, {topic, event_name(what), payload});
                return Framed::text(message);
            }
        },
        event);
}

std::string to_json(const engine::Occupancy& occupancy) {
    return object([&](json::Writer& writer) {
        writer.key("count");
        writer.number(std::uint64_t{occupancy.count});
    });
}

std::string to_json(const engine::SendReply& reply) {
    std::string text;
    proto::append_json(text, proto::Receipt{reply.id, reply.epoch, reply.seq, reply.inserted_at});
    return text;
}

std::string to_json(const engine::JoinReply& reply, std::string_view node, std::size_t page_bytes) {
    return object([&](json::Writer& writer) {
        writer.key("messages");
        const bool cut = write_messages(writer, reply.messages, {reply.recovered, page_bytes});
        writer.key("recovered");
        writer.boolean(reply.recovered);
        writer.key("more");
        writer.boolean(reply.more || cut);
        writer.key("epoch");
        writer.string(to_text(reply.epoch));
        writer.key("seq");
        writer.number(reply.seq.value);
        writer.key("node");
        writer.string(node);
        writer.key("owner");
        writer.string(node);
    });
}

std::string to_json(const HistoryPage& page, bool oldest_first) {
    return object([&](json::Writer& writer) {
        writer.key("messages");
        const bool cut = write_messages(writer, page.messages, {oldest_first, page_bytes_max});
        writer.key("more");
        writer.boolean(page.more || cut);
    });
}

std::string to_json(const Error& error) {
    std::string text;
    proto::append_json(text, error);
    return text;
}

std::string to_json(const engine::PresenceMap& presence) {
    std::string text;
    json::Writer writer(text);
    write_presence(writer, presence);
    return text;
}

std::string to_json(const engine::PresenceDiff& diff) {
    return object([&](json::Writer& writer) {
        writer.key("joins");
        write_presence(writer, diff.joins);
        writer.key("leaves");
        write_presence(writer, diff.leaves);
    });
}

std::string to_json(const Message& message) {
    std::string text;
    proto::append_json(text, message);
    return text;
}

}  // namespace chatx::node
