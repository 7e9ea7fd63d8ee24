#include "node/store/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace chatx::node {

namespace {

constexpr mode_t writable_by_others = S_IWGRP | S_IWOTH;
constexpr auto lock_name = "chatx.lock";

Error refusal(std::string detail) {
    return {Reason::adapter_error, std::move(detail), std::nullopt};
}

/// What the system said of `path`, and what to do about it.
Error refusal(const std::string& path, int code) {
    switch (code) {
        case EROFS:
            return refusal(
                path + ": read-only file system: mount it writable or name another data directory");
        case EACCES:
        case EPERM:
            return refusal(path + ": permission denied: give it to the user that runs the node");
        case ENOENT:
            return refusal(path + ": its parent directory does not exist: make it first");
        case ENOTDIR:
            return refusal(path + ": not a directory: name another data directory");
        case ENOSPC:
        case EDQUOT:
            return refusal(path + ": no space left: free some");
        case ELOOP:
            return refusal(path + ": a symbolic link: put the file itself there");
        default:
            return refusal(path + ": " + std::error_code(code, std::generic_category()).message());
    }
}

/// Makes the entries of a directory durable.
bool sync_directory(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    return synced;
}

std::string read_start(int descriptor) {
    std::array<char, 16> bytes{};
    const auto size = ::pread(descriptor, bytes.data(), bytes.size(), 0);
    const std::string_view text(bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    return std::string(text.substr(0, text.find_first_not_of("0123456789")));
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), S_IRWXU) == 0) {
        const auto absolute = std::filesystem::absolute(path).lexically_normal();
        const auto parent =
            absolute.has_filename() ? absolute.parent_path() : absolute.parent_path().parent_path();
        if (!sync_directory(parent)) return refusal(parent, errno);
    } else if (errno != EEXIST) {
        return refusal(path, errno);
    }
    std::error_code failed;
    const auto real = std::filesystem::canonical(path, failed);
    if (failed) return refusal(path, failed.value());
    const int descriptor = ::open(real.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0) return refusal(path, errno);

    std::unique_ptr<DataDirectory> directory(new DataDirectory(real, descriptor));
    if (auto safe = directory->check_mode(); !safe) return safe.error();
    if (auto held = directory->lock(); !held) return held.error();
    return directory;
}

DataDirectory::DataDirectory(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

DataDirectory::~DataDirectory() {
    if (lock_descriptor_ >= 0) ::close(lock_descriptor_);
    ::close(descriptor_);
}

std::string DataDirectory::file(std::string_view name) const {
    return path_ / name;
}

Result<bool> DataDirectory::has_file(const std::string& name) const {
    struct stat status {};

    if (::fstatat(descriptor_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return false;
        return refusal(file(name), errno);
    }
    if (S_ISLNK(status.st_mode)) return refusal(file(name), ELOOP);
    if (!S_ISREG(status.st_mode)) return refusal(file(name) + ": not a regular file: move it away");
    return true;
}

Result<Done> DataDirectory::create_file(const std::string& name) const {
    if (const auto present = has_file(name); !present) return present.error();
    const int flags = O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
    const int created = ::openat(descriptor_, name.c_str(), flags, S_IRUSR | S_IWUSR);
    if (created < 0) return refusal(file(name), errno);
    ::close(created);
    return Done{};
}

Result<Done> DataDirectory::rename_file(const std::string& from, const std::string& to) const {
    if (::renameat(descriptor_, from.c_str(), descriptor_, to.c_str()) != 0
        || ::fsync(descriptor_) != 0) {
        return refusal(file(to), errno);
    }
    return Done{};
}

Result<Done> DataDirectory::check_mode() const {
    struct stat status {};

    if (::fstat(descriptor_, &status) != 0) return refusal(path_, errno);
    if ((status.st_mode & writable_by_others) == 0) return Done{};
    return refusal(path_.string() + ": others may write in it: chmod 700 " + path_.string());
}

Result<Done> DataDirectory::lock() {
    if (const auto present = has_file(lock_name); !present) return present.error();
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    lock_descriptor_ = ::openat(descriptor_, lock_name, flags, S_IRUSR | S_IWUSR);
    if (lock_descriptor_ < 0) return refusal(file(lock_name), errno);
    if (::flock(lock_descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return refusal(file(lock_name), errno);
        const auto holder = read_start(lock_descriptor_);
        return refusal(
            path_.string() + ": in use by process " + (holder.empty() ? "(unknown)" : holder)
            + ": stop it or name another data directory");
    }
    const auto self = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock_descriptor_, 0) != 0
        || ::pwrite(lock_descriptor_, self.data(), self.size(), 0)
               != static_cast<ssize_t>(self.size())) {
        return refusal(file(lock_name), errno);
    }
    return Done{};
}

}  // namespace chatx::node
