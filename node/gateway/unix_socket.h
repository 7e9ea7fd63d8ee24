#pragma once

#include "node/gateway/http_server.h"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace chatx::node {

/// A Unix socket that only this user can connect to: the file is 0600, and the directory is made
/// 0700 where there is none. The file is gone with the object.
class UnixSocket {
public:
    explicit UnixSocket(boost::asio::io_context& io) : acceptor_(io) {}

    UnixSocket(const UnixSocket&) = delete;
    UnixSocket& operator=(const UnixSocket&) = delete;
    ~UnixSocket();

    /// Why a path cannot be listened on, in one sentence.
    struct Problem {
        std::string text;
        bool taken = false;  // A living process listens there.
    };

    /// Binds and listens. The file that a dead process left is replaced; one that a living process
    /// listens on is not touched, nor is anything that is no socket. Once.
    [[nodiscard]] std::optional<Problem> open(const std::string& path);

    /// What to accept from. Once, after `open`.
    [[nodiscard]] HttpServer::Acceptor take_acceptor() { return std::move(acceptor_); }

    /// Empty unless open.
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    [[nodiscard]] std::optional<Problem> replace_stale(const std::string& path);
    [[nodiscard]] std::optional<Problem> listen(const std::string& path);

    HttpServer::Acceptor acceptor_;
    std::string path_;
    std::uint64_t file_ = 0;  // The inode, so that only our own file is removed.
};

}  // namespace chatx::node
