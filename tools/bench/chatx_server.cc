#include "tools/bench/chatx_server.h"

#include "tools/bench/loopback.h"

namespace chatx::tools {

ChatxServer::ChatxServer(const Options& options)
    : port_(free_port()), process_(Process::run(command(options, port_), options.loud)) {
    wait_until_serving(process_, port_, options.program);
}

std::vector<std::string> ChatxServer::command(const Options& options, std::uint16_t port) {
    std::vector<std::string> words{
        options.program, "--dev", "--listen", "127.0.0.1:" + std::to_string(port)};
    std::vector<std::string> settings{
        "rate_limit.messages_per_sec=0",
        "limits.frames_per_sec=0",
        "limits.idle_timeout_s=86400",  // Between its turns a client says nothing.
    };
    settings.insert(settings.end(), options.settings.begin(), options.settings.end());
    for (const std::string& setting : settings) {
        words.emplace_back("--set");
        words.push_back(setting);
    }
    return words;
}

Entry ChatxServer::entry(std::size_t client, std::span<const std::string> rooms) const {
    Entry entry{
        .target = "/socket/websocket?vsn=2.0.0&user_id=bench-" + std::to_string(client),
        .hello = {},
        .welcome = R"({"response":{"messages")",
        .welcomes = rooms.size(),
        .refusal = R"({"response":{"reason")"};
    for (const std::string& room : rooms)
        entry.hello.push_back(R"(["1","1","room:)" + room + R"(","phx_join",{}])");
    return entry;
}

std::string ChatxServer::message(const std::string& room, std::size_t content_bytes) const {
    return R"(["1","2","room:)" + room + R"(","new_message",{"content":")"
           + std::string(content_bytes, 'x') + R"("}])";
}

}  // namespace chatx::tools
