#include "node/gateway/poll_body.h"

#include "tests/fuzz/fuzz.h"

#include <variant>
#include <vector>

// No message is larger than the body, and there are at most as many as are taken.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace chatx::node;
    const std::string_view body = chatx::fuzz::to_text(data, size);
    for (const std::string_view type : {"application/x-ndjson", "application/json"}) {
        const auto result = read_poll_body(type, body);
        const auto* messages = std::get_if<std::vector<PollMessage>>(&result);
        if (messages == nullptr) continue;
        CHATX_ASSERT(messages->size() <= poll_frames_max);
        std::size_t bytes = 0;
        for (const PollMessage& message : *messages)
            bytes += message.bytes.size();
        CHATX_ASSERT(bytes <= size);
    }
    return 0;
}
