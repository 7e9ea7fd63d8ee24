#include "tests/fuzz/fuzz.h"
#include "tests/support/local_node.h"

#include <chrono>
#include <string>

// Three clients of one node, each line a frame: the first character of a line says who sends it and
// what time passes. Whatever they say, a client that keeps to the rules is answered.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace chatx;
    test::LocalNode::Options options;
    options.store = true;
    test::LocalNode node(options);
    test::LocalClient* clients[] = {
        &node.connect("ann"), &node.connect("ben"), &node.connect("cleo")};
    std::string_view rest = fuzz::to_text(data, size);
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.empty()) continue;
        const auto first = static_cast<unsigned char>(line.front());
        auto& client = *clients[first % 3];
        if (client.connected()) client.say(line.substr(1));
        node.settle();
        if (first % 16 == 15) node.advance(std::chrono::milliseconds(100));
        for (auto* each : clients)
            (void)each->hear();
    }
    auto& probe = node.connect("probe");
    probe.say(R"([null,"1","phoenix","heartbeat",{}])");
    node.settle();
    CHATX_ASSERT(probe.hear().size() == 1);
    return 0;
}
