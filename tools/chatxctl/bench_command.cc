#include "tools/chatxctl/bench_command.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace chatx::tools {

ExitCode bench(const Output& out, const std::vector<std::string>& arguments) {
    std::error_code unknown;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
    const std::string program = (self.parent_path() / "chatx-bench").string();

    std::vector<std::string> words{program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(program.c_str(), pointers.data());

    const std::error_code why(errno, std::generic_category());
    return out.fail({ExitCode::failed, "cannot run " + program + ": " + why.message()});
}

}  // namespace chatx::tools
