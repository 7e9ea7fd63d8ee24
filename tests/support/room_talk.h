#pragma once

#include "tests/support/local_node.h"
#include "tests/support/rates.h"

#include <cstdint>
#include <string>
#include <string_view>

/// What clients of a LocalNode say to its rooms, and what a test looks for in the answers.
namespace chatx::test {

inline std::string join(std::string_view room) {
    return R"(["1","1","room:)" + std::string(room) + R"(","phx_join",{}])";
}

inline std::string say(std::string_view room, std::string_view content = "hi") {
    return R"(["1","2","room:)" + std::string(room) + R"(","new_message",{"content":")"
           + std::string(content) + R"("}])";
}

inline bool heard(LocalClient& client, std::string_view part) {
    bool found = false;
    for (const std::string& frame : client.hear())
        found = found || frame.find(part) != frame.npos;
    return found;
}

/// A node with a store whose clients may say as much as they like.
inline LocalNode::Options talkative() {
    LocalNode::Options options;
    options.store = true;
    options.rooms.room.rate_limit.messages_per_sec = 0;
    options.session.rates = no_limits();
    return options;
}

inline std::string say_once(std::string_view room, std::uint64_t number) {
    const std::string text = std::to_string(number);
    return R"(["1","s","room:)" + std::string(room) + R"(","new_message",{"content":")" + text
           + R"(","client_id":"c)" + text + R"("}])";
}

/// Joins room `a` and says messages with the client ids `from` to `to`.
inline void say_many(LocalNode& node, std::uint64_t from, std::uint64_t to) {
    LocalClient& client = node.connect("ann");
    client.say(join("a"));
    for (std::uint64_t number = from; number <= to; ++number) {
        client.say(say_once("a", number));
        node.settle();
        (void)client.hear();
    }
    client.hang_up();
    node.settle();
}

}  // namespace chatx::test
