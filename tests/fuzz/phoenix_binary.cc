#include "proto/phoenix_binary.h"

#include "tests/fuzz/fuzz.h"

#include <string>
#include <variant>

// A frame is its header, its names and its payload, and nothing else. An empty ref takes no byte.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace phoenix = chatx::proto::phoenix;
    const std::string_view message = chatx::fuzz::to_text(data, size);
    const auto result = phoenix::decode_binary(message);
    const auto* push = std::get_if<phoenix::BinaryPush>(&result);
    if (push == nullptr) return 0;
    constexpr std::size_t header = 5;
    const std::size_t refs = std::size_t{data[1]} + data[2];
    CHATX_ASSERT(
        header + refs + push->topic.size() + push->event.size() + push->payload.size() == size);
    std::string out;
    phoenix::append_binary_broadcast(out, {push->topic, push->event, push->payload});
    CHATX_ASSERT(out.size() == 3 + push->topic.size() + push->event.size() + push->payload.size());
    return 0;
}
