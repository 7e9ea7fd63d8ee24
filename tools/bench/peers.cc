#include "tools/bench/peers.h"

#include "tools/bench/bun_server.h"
#include "tools/bench/chatx_server.h"

#include <utility>

namespace chatx::tools {

std::unique_ptr<Server> start_chatx(const Options& options) {
    return std::make_unique<ChatxServer>(ChatxServer::Options{
        .program = options.node, .settings = options.settings, .loud = options.loud});
}

std::unique_ptr<Server> start_bun(const Options& options, std::size_t delivered_bytes) {
    if (!options.peer || !options.bun) return nullptr;
    return std::make_unique<BunServer>(BunServer::Options{
        .program = *options.bun, .loud = options.loud, .delivered_bytes = delivered_bytes});
}

void add_bun(
    std::vector<Contestant>& contestants,
    const Options& options,
    std::function<std::vector<double>()> turn) {
    if (!options.peer) return;
    if (options.bun)
        contestants.push_back({.name = bun_name, .turn = std::move(turn)});
    else
        contestants.push_back({.name = bun_name, .turn = {}, .missing = "not found"});
}

}  // namespace chatx::tools
