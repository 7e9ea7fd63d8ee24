#pragma once

#include <chatx/assert.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace chatx::test {

/// An empty directory of its own for a test, gone with the object. In memory where the system has a
/// place for that, since tests of stores sync a lot.
class ScratchDirectory {
public:
    ScratchDirectory() {
        const std::filesystem::path memory = "/dev/shm";
        const bool usable = ::access(memory.c_str(), W_OK) == 0;
        auto name =
            ((usable ? memory : std::filesystem::temp_directory_path()) / "chatx-test-XXXXXX")
                .string();
        CHATX_ASSERT(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }

    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace chatx::test
