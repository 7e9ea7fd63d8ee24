#include "node/gateway/unix_socket.h"

#include "tests/support/scratch_directory.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

namespace chatx::node {
namespace {

namespace asio = boost::asio;

mode_t mode_of(const std::string& path) {
    struct stat status {};

    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

std::string refusal(const std::string& path) {
    asio::io_context io;
    UnixSocket socket(io);
    const auto problem = socket.open(path);
    return problem ? problem->text : std::string();
}

TEST_CASE(
    "the socket and a directory made for it are for this user alone, and the file goes with the "
    "object") {
    const chatx::test::ScratchDirectory scratch;
    const std::string directory = scratch.path() / "run";
    const std::string path = directory + "/admin.sock";
    asio::io_context io;
    {
        UnixSocket socket(io);
        const auto problem = socket.open(path);
        CHECK_FALSE(problem);
        CHECK(socket.path() == path);
        CHECK(mode_of(path) == 0600);
        CHECK(mode_of(directory) == 0700);
    }
    CHECK_FALSE(exists(path));
}

TEST_CASE("the file of a dead process is replaced") {
    const chatx::test::ScratchDirectory scratch;
    const std::string path = scratch.path() / "admin.sock";
    asio::io_context io;
    {
        asio::local::stream_protocol::acceptor dead(io, {path});  // Leaves its file behind.
    }
    REQUIRE(exists(path));
    CHECK(refusal(path).empty());
}

TEST_CASE(
    "a socket that a living process listens on is a problem that names the process, and stays") {
    const chatx::test::ScratchDirectory scratch;
    const std::string path = scratch.path() / "admin.sock";
    asio::io_context io;
    UnixSocket first(io);
    REQUIRE_FALSE(first.open(path));
    UnixSocket second(io);
    const auto problem = second.open(path);
    REQUIRE(problem);
    CHECK(problem->taken);
    CHECK(problem->text.find("process " + std::to_string(::getpid())) != std::string::npos);
    CHECK(problem->text.find(path) != std::string::npos);
    CHECK(exists(path));
}

TEST_CASE("a file that is no socket is left alone") {
    const chatx::test::ScratchDirectory scratch;
    const std::string path = scratch.path() / "admin.sock";
    std::ofstream(path) << "precious";
    CHECK(refusal(path).find("no socket") != std::string::npos);
    CHECK(exists(path));
}

TEST_CASE("a directory that others may write in is refused") {
    const chatx::test::ScratchDirectory scratch;
    REQUIRE(::chmod(scratch.path().c_str(), 0777) == 0);
    CHECK(refusal(scratch.path() / "admin.sock").find("others may write") != std::string::npos);
}

TEST_CASE("a directory that cannot be made is named") {
    const chatx::test::ScratchDirectory scratch;
    CHECK(
        refusal(scratch.path() / "no" / "such" / "admin.sock").find("cannot make")
        != std::string::npos);
}

TEST_CASE("only its own file is removed") {
    const chatx::test::ScratchDirectory scratch;
    const std::string path = scratch.path() / "admin.sock";
    asio::io_context io;
    {
        UnixSocket socket(io);
        REQUIRE_FALSE(socket.open(path));
        const std::string other = scratch.path() / "other";
        std::ofstream(other) << "another's";
        REQUIRE(::rename(other.c_str(), path.c_str()) == 0);
    }
    CHECK(exists(path));
}

}  // namespace
}  // namespace chatx::node
