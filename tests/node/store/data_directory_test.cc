#include "node/store/data_directory.h"

#include "tests/node/store/store_support.h"
#include "tests/support/child_process.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.
namespace fs = std::filesystem;

std::string open_refusal(const fs::path& path) {
    const auto opened = DataDirectory::open(path);
    return opened ? std::string() : opened.error().detail;
}

bool has_mode(const fs::path& path, mode_t mode) {
    struct stat status {};

    return ::lstat(path.c_str(), &status) == 0 && (status.st_mode & 0777U) == mode;
}

TEST_CASE("a directory that is missing is made for its owner alone") {
    const ScratchDirectory scratch;
    const auto path = scratch.path() / "data";
    const auto directory = DataDirectory::open(path);
    REQUIRE(directory);
    CHECK(has_mode(path, 0700));
    CHECK((*directory)->create_file("chatx.db") == done);
    CHECK((*directory)->create_file("chatx.db") == done);
    CHECK(has_mode(path / "chatx.db", 0600));
    CHECK(has_mode(path / "chatx.lock", 0600));
    CHECK((*directory)->file("chatx.db") == fs::canonical(path) / "chatx.db");
}

TEST_CASE("a directory is held by one at a time, and the other is told by whom") {
    const ScratchDirectory scratch;
    {
        const auto directory = DataDirectory::open(scratch.path());
        REQUIRE(directory);
        CHECK(contains(
            open_refusal(scratch.path()), "in use by process " + std::to_string(::getpid()) + ":"));
    }
    CHECK(open_refusal(scratch.path()).empty());
}

TEST_CASE("the hold of a process that was killed is gone") {
    const ScratchDirectory scratch;
    chatx::test::ChildProcess child([&](int report) {
        const auto directory = DataDirectory::open(scratch.path());
        chatx::test::report_line(report, directory ? "held" : "refused");
        ::pause();
    });
    CHECK(child.read_line() == "held");
    CHECK(contains(
        open_refusal(scratch.path()), "in use by process " + std::to_string(child.id()) + ":"));
    child.kill();
    CHECK(open_refusal(scratch.path()).empty());
}

TEST_CASE("links among the files are refused, a link to the directory is not") {
    const ScratchDirectory scratch;
    const auto path = scratch.path() / "data";
    fs::create_directory(path);
    fs::create_directory_symlink(path, scratch.path() / "link");
    CHECK(open_refusal(scratch.path() / "link").empty());
    std::ofstream(scratch.path() / "elsewhere") << "precious";
    {
        const auto directory = DataDirectory::open(path);
        REQUIRE(directory);
        fs::create_symlink(scratch.path() / "elsewhere", path / "chatx.db");
        fs::create_symlink(scratch.path() / "nowhere", path / "dangling");
        fs::create_directory(path / "folder");
        for (const auto* name : {"chatx.db", "dangling"}) {
            const auto created = (*directory)->create_file(name);
            REQUIRE_FALSE(created);
            CHECK(contains(created.error().detail, "a symbolic link"));
        }
        CHECK(contains((*directory)->create_file("folder").error().detail, "not a regular file"));
        CHECK((*directory)->has_file("absent") == Result<bool>(false));
        CHECK((*directory)->has_file("chatx.lock") == Result<bool>(true));
        CHECK_FALSE((*directory)->has_file("folder"));
    }
    fs::remove(path / "chatx.lock");
    fs::create_symlink(scratch.path() / "elsewhere", path / "chatx.lock");
    CHECK(contains(open_refusal(path), "a symbolic link"));
    CHECK(fs::file_size(scratch.path() / "elsewhere") == 8);
}

TEST_CASE("a path that cannot be a data directory is refused with what to do") {
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "file") << "x";
    CHECK(contains(open_refusal(scratch.path() / "file"), "not a directory"));
    CHECK(contains(open_refusal(scratch.path() / "no" / "parent"), "make it first"));
    CHECK_FALSE(open_refusal("").empty());
    const auto shared = scratch.path() / "shared";
    fs::create_directory(shared);
    fs::permissions(shared, fs::perms::all);
    CHECK(contains(open_refusal(shared), "chmod 700 "));
}

TEST_CASE("a directory that may not be written is refused, naming the permission") {
    const ScratchDirectory scratch;
    const auto path = scratch.path() / "data";
    fs::create_directory(path);
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_exec);
    const auto said = chatx::test::in_child([&] {
        constexpr uid_t nobody = 65534;
        if (::geteuid() == 0) {
            if (::chown(scratch.path().c_str(), nobody, nobody) != 0
                || ::chown(path.c_str(), nobody, nobody) != 0 || ::setgid(nobody) != 0
                || ::setuid(nobody) != 0) {
                return std::string("cannot become another user");
            }
        }
        return open_refusal(path);
    });
    CHECK(contains(said, "permission denied"));
}

}  // namespace
}  // namespace chatx::node
