#include "tests/node/scenario.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace chatx::test {

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The first line in which two texts differ, both versions.
std::string difference(const std::string& told, const std::string& happened) {
    std::size_t line = 1;
    std::size_t start = 0;
    while (true) {
        const std::size_t told_end = told.find('\n', start);
        const std::size_t happened_end = happened.find('\n', start);
        const std::string was = told.substr(std::min(start, told.size()), told_end - start);
        const std::string is =
            happened.substr(std::min(start, happened.size()), happened_end - start);
        if (was != is || told_end == told.npos || happened_end == happened.npos) {
            return ("line " + std::to_string(line))
                .append("\n  told:     ")
                .append(was)
                .append("\n  happened: ")
                .append(is);
        }
        ++line;
        start = told_end + 1;
    }
}

}  // namespace

// CHATX_REWRITE=1 writes what happened into the files instead: for the review that follows.
TEST_CASE("every scenario happens as it is told") {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(CHATX_SCENARIOS))
        paths.push_back(entry.path());
    REQUIRE(paths.size() >= 10);
    const bool rewrite =
        std::getenv("CHATX_REWRITE") != nullptr;  // NOLINT(concurrency-mt-unsafe): one thread.
    for (const fs::path& path : paths) {
        if (path.extension() != ".txt") continue;
        const std::string told = read(path);
        const std::string happened = play_scenario(told);
        if (rewrite) {
            std::ofstream(path) << happened;
            continue;
        }
        const std::string where = path.filename().string() + ", " + difference(told, happened);
        CHECK_MESSAGE((told == happened), where);
    }
}

}  // namespace chatx::test
