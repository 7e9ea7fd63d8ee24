#include "node/gateway/unix_socket.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr int backlog = 64;

std::string words(int code) {
    return std::generic_category().message(code);
}

UnixSocket::Problem problem(const std::string& path, const std::string& why) {
    return {"cannot listen on the admin socket " + path + ": " + why, false};
}

std::filesystem::path directory_of(const std::string& path) {
    const auto parent = std::filesystem::path(path).parent_path();
    return parent.empty() ? std::filesystem::path(".") : parent;
}

/// A directory, held while nobody else may change what listens in it.
class HeldDirectory {
public:
    explicit HeldDirectory(const std::filesystem::path& path)
        : descriptor_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (descriptor_ >= 0) ::flock(descriptor_, LOCK_EX);
    }

    HeldDirectory(const HeldDirectory&) = delete;
    HeldDirectory& operator=(const HeldDirectory&) = delete;

    ~HeldDirectory() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    /// What others could do with a socket in it; empty when they can do nothing.
    [[nodiscard]] std::string danger() const {
        struct stat status {};

        if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) return words(errno);
        if (status.st_uid != ::geteuid() && status.st_uid != 0)
            return "its directory belongs to another user";
        const bool writable = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
        const bool sticky = (status.st_mode & S_ISVTX) != 0;
        if (writable && !sticky) return "others may write in its directory: chmod 700 it";
        return {};
    }

private:
    int descriptor_;
};

std::string process_behind(asio::local::stream_protocol::socket& socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return "another process";
    return "process " + std::to_string(peer.pid);
}

}  // namespace

UnixSocket::~UnixSocket() {
    struct stat status {};

    if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
    if (status.st_ino == file_) ::unlink(path_.c_str());
}

std::optional<UnixSocket::Problem> UnixSocket::open(const std::string& path) {
    const auto directory = directory_of(path);
    if (::mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        return problem(path, "cannot make " + directory.string() + ": " + words(errno));
    }
    const HeldDirectory held(directory);
    if (const std::string danger = held.danger(); !danger.empty()) return problem(path, danger);
    if (auto taken = replace_stale(path)) return taken;
    return listen(path);
}

std::optional<UnixSocket::Problem> UnixSocket::replace_stale(const std::string& path) {
    struct stat status {};

    if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
    if (!S_ISSOCK(status.st_mode))
        return problem(path, "there is a file of that name that is no socket; move it away");

    asio::local::stream_protocol::socket probe(acceptor_.get_executor());
    boost::system::error_code error;
    probe.open({}, error);
    if (!error) probe.non_blocking(true, error);  // A living one may be busy.
    if (!error) probe.connect({path}, error);
    if (!error || error == asio::error::would_block || error == asio::error::try_again) {
        const std::string who = error ? "another process" : process_behind(probe);
        auto taken = problem(
            path, who + " listens there; stop it or choose another with --set admin_socket=PATH");
        taken.taken = true;
        return taken;
    }
    if (error != asio::error::connection_refused) return problem(path, error.message());
    if (::unlink(path.c_str()) != 0) return problem(path, words(errno));
    return std::nullopt;
}

// Linux takes the mode of the file from that of the open socket, so that it never is any other.
std::optional<UnixSocket::Problem> UnixSocket::listen(const std::string& path) {
    const asio::local::stream_protocol::endpoint endpoint(path);
    boost::system::error_code error;
    acceptor_.open(asio::generic::stream_protocol(endpoint.protocol()), error);
    if (!error && ::fchmod(acceptor_.native_handle(), S_IRUSR | S_IWUSR) != 0)
        return problem(path, words(errno));
    if (!error) acceptor_.bind(endpoint, error);
    if (error) return problem(path, error.message());

    struct stat status {};

    if (::lstat(path.c_str(), &status) != 0) return problem(path, words(errno));
    path_ = path;
    file_ = status.st_ino;
    acceptor_.listen(backlog, error);
    if (error) return problem(path, error.message());
    return std::nullopt;
}

}  // namespace chatx::node
