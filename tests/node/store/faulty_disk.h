#pragma once

#include <chatx/entropy.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace chatx::node::test {

/// A disk that loses its power or fails: SQLite's default file layer for the life of this object.
/// It writes through to the real files, and remembers for each what a disk would surely hold: what
/// was synced. One at a time; one thread at a time, apart from `fail_syncs` and `fill`.
class FaultyDisk {
public:
    FaultyDisk();
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;
    ~FaultyDisk();

    /// From now on every sync fails (or works again).
    void fail_syncs(bool fail) { syncs_fail_ = fail; }

    /// From now on there is no space for a write (or there is again).
    void fill(bool full) { full_ = full; }

    [[nodiscard]] bool full() const { return full_; }

    /// Puts into `to` what a power cut now would leave of the files in `from`: all that was synced,
    /// and of each later write nothing, all, or the beginning, in sectors of 512 bytes, as
    /// `entropy` has it.
    void cut_power(
        const std::filesystem::path& from, const std::filesystem::path& to, Entropy& entropy) const;

    /// Called before each file is opened.
    void on_open(std::function<void()> hook) { open_hook_ = std::move(hook); }

    // Told by the file layer.
    void opening() const {
        if (open_hook_) open_hook_();
    }

    void opened(const std::string& path);
    void written(const std::string& path, std::size_t offset, std::string bytes);
    void truncated(const std::string& path, std::size_t size);
    bool synced(const std::string& path);

    void deleted(const std::string& path) { files_.erase(path); }

private:
    struct Write {
        std::size_t offset = 0;
        std::string bytes;
        bool truncates = false;
    };

    struct File {
        std::string durable;
        std::vector<Write> pending;
    };

    static void apply(std::string& image, const Write& write, std::size_t bytes);

    std::map<std::string, File> files_;
    std::atomic<bool> syncs_fail_ = false;
    std::atomic<bool> full_ = false;
    std::function<void()> open_hook_;
};

}  // namespace chatx::node::test
