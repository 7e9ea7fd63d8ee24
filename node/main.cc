#include "node/config.h"
#include "node/hooks/word_list.h"
#include "node/log.h"
#include "node/net/clock.h"
#include "node/server.h"
#include "node/version.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace chatx::node {

namespace {

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable)
        variables.emplace_back(*variable);
    return variables;
}

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

std::variant<LoadedConfig, Exit> configure(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::vector<std::string> variables = environment();
    return load_config({
        .arguments = arguments,
        .environment = variables,
        .read_file = [](const std::string& path) { return read_file(path, config_file_size_max); },
        .version = std::string(version),
        .host_name = host_name(),
        .user_id = geteuid(),
        .middlewares = {},
    });
}

int refuse(const std::string& why) {
    std::fprintf(stderr, "chatxd: %s\n", why.c_str());
    return 1;
}

int serve(LoadedConfig config) {
    Logger log({
        .level = config.config.log.level,
        .format = config.config.log.format,
        .lines_per_second = config.config.log.lines_per_second,
        .now = monotonic_now,
    });
    std::unique_ptr<WordList> words;
    if (config.config.moderation == ModerationKind::word_list) {
        auto list = WordList::load(config.config.moderation_words);
        if (!list) return refuse(list.error().detail);
        words = *std::move(list);
    }
    Server server(
        std::move(config), log, {.auth = nullptr, .moderation = words.get(), .middlewares = {}});
    if (const auto problem = server.start()) return refuse(*problem);
    const int status = server.run();
    // Threads are in an adapter still: nothing that it may touch is destroyed. The log is out.
    if (status == Server::adapter_hangs_status) std::_Exit(status);
    return status;
}

}  // namespace

}  // namespace chatx::node

int main(int argc, char** argv) {
    try {
        auto outcome = chatx::node::configure(argc, argv);
        if (auto* config = std::get_if<chatx::node::LoadedConfig>(&outcome))
            return chatx::node::serve(std::move(*config));
        const auto& exit = std::get<chatx::node::Exit>(outcome);
        std::fputs(exit.text.c_str(), exit.status == 0 ? stdout : stderr);
        return exit.status;
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "chatxd: cannot start: %s\n", exception.what());
        return 1;
    }
}
