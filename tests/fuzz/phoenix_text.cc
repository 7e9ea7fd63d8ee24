#include "proto/phoenix.h"
#include "tests/fuzz/fuzz.h"

#include <string>
#include <variant>

namespace {

namespace json = chatx::proto::json;
namespace phoenix = chatx::proto::phoenix;

json::Parser parser;

// What was read is written so that it is read as the same.
void check(phoenix::Version version, std::string_view text) {
    const auto result = phoenix::decode(parser, version, text);
    const auto* frame = std::get_if<phoenix::Frame>(&result);
    if (frame == nullptr) return;
    const std::string payload = json::to_json(frame->payload);
    std::string written;
    phoenix::append_frame(
        written, version, {frame->join_ref, frame->ref, frame->topic, frame->event, payload});
    const auto again = phoenix::decode(parser, version, written);
    const auto* same = std::get_if<phoenix::Frame>(&again);
    if (same == nullptr) {
        // Only for its size: what is escaped may be longer than what was read.
        CHATX_ASSERT(written.size() > text.size());
        return;
    }
    CHATX_ASSERT(same->ref == frame->ref && same->topic == frame->topic);
    CHATX_ASSERT(same->event == frame->event);
    CHATX_ASSERT(json::to_json(same->payload) == payload);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = chatx::fuzz::to_text(data, size);
    check(phoenix::Version::v1, text);
    check(phoenix::Version::v2, text);
    return 0;
}
