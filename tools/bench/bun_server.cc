#include "tools/bench/bun_server.h"

#include "tools/bench/loopback.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace chatx::tools {

namespace fs = std::filesystem;

namespace {

/// The program in a folder where `npm install bun` was said. Its own package holds it until the
/// installing script, which may be forbidden, has moved it.
std::optional<std::string> installed_in(const fs::path& folder) {
    const fs::path modules = folder / "node_modules";
    for (const char* place : {"@oven/bun-linux-x64/bin/bun", ".bin/bun"}) {
        std::string program = (modules / place).string();
        if (access(program.c_str(), X_OK) == 0) return program;
    }
    return std::nullopt;
}

fs::path cache_directory() {
    // NOLINTBEGIN(concurrency-mt-unsafe): no other thread is there.
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
        return cache;
    const char* home = std::getenv("HOME");
    // NOLINTEND(concurrency-mt-unsafe): see above.
    return fs::path(home != nullptr ? home : "/") / ".cache";
}

}  // namespace

std::optional<std::string> find_bun(const std::string& named, const fs::path& near) {
    if (!named.empty()) {
        if (access(named.c_str(), X_OK) == 0) return named;
        return std::nullopt;
    }
    for (fs::path folder = near; folder != folder.parent_path(); folder = folder.parent_path()) {
        if (auto program = installed_in(folder / "tests/clients")) return program;
    }
    return installed_in(cache_directory() / "chatx/bun");
}

BunServer::BunServer(const Options& options)
    : delivered_bytes_(options.delivered_bytes),
      port_(free_port()),
      process_(Process::run(
          {"/usr/bin/env",
           "DO_NOT_TRACK=1",
           options.program,
           "-e",
           bun_script(),
           std::to_string(port_)},
          options.loud)) {
    wait_until_serving(process_, port_, options.program);
}

Entry BunServer::entry(std::size_t /*client*/, std::span<const std::string> rooms) const {
    Entry entry{.target = "/", .hello = {}, .welcome = "welcome", .welcomes = rooms.size()};
    for (const std::string& room : rooms)
        entry.hello.push_back("+ " + room);
    return entry;
}

std::string BunServer::message(const std::string& room, std::size_t content_bytes) const {
    std::string text = room + std::string(mark());
    text.resize(std::max(delivered_bytes_, text.size() + content_bytes), 'x');
    return text;
}

}  // namespace chatx::tools
