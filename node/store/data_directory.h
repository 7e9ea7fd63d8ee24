#pragma once

#include <chatx/result.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace chatx::node {

/// A node's data directory, held by this process alone for the life of the object. The hold is a
/// lock of the kernel on the file `chatx.lock`: it ends with the process, however that ends.
///
/// The path may lead through symbolic links (operators mount that way); the files in it may not be
/// links, and nobody but the owner may write in it.
class DataDirectory {
public:
    /// Makes the directory (mode 0700) when only its last part is missing, and takes hold of it.
    /// Errors are one line that says what to do.
    static Result<std::unique_ptr<DataDirectory>> open(const std::filesystem::path& path);

    DataDirectory(const DataDirectory&) = delete;
    DataDirectory& operator=(const DataDirectory&) = delete;
    ~DataDirectory();

    /// The path of a file in it, without links.
    [[nodiscard]] std::string file(std::string_view name) const;

    /// Whether there is a file of that name. Refuses what is there and is not a regular file.
    [[nodiscard]] Result<bool> has_file(const std::string& name) const;

    /// Makes an empty file (mode 0600), in the place of one that may be there.
    [[nodiscard]] Result<Done> create_file(const std::string& name) const;

    /// Gives a file another name, durably, in the place of a file that may have it.
    [[nodiscard]] Result<Done> rename_file(const std::string& from, const std::string& to) const;

private:
    DataDirectory(std::filesystem::path path, int descriptor);
    Result<Done> check_mode() const;
    Result<Done> lock();

    std::filesystem::path path_;
    int descriptor_;
    int lock_descriptor_ = -1;
};

}  // namespace chatx::node
