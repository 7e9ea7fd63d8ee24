#include "node/store/sqlite.h"
#include "tests/node/store/faulty_disk.h"
#include "tests/node/store/store_support.h"
#include "tests/support/child_process.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace chatx::node {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace): this folder's own.
namespace fs = std::filesystem;

const RoomId lobby = room_named("lobby");

/// Does to the file what somebody with a shell would do.
void run_sql(const fs::path& file, const char* sql) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
    CHECK(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
}

std::int64_t run_sql_for_number(const fs::path& file, const char* sql) {
    auto connection =
        SqliteConnection::open(file.string(), SqliteConnection::Mode::read, Duration::zero());
    REQUIRE(connection);
    SqliteStatement statement(**connection, sql);
    SqliteQuery query(statement);
    REQUIRE(query.next());
    return query.integer(0);
}

void overwrite(const fs::path& file, std::streamoff offset, std::string_view bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(offset);
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Puts a file system of its own over a directory, for this process alone. Needs rights that not
/// every machine gives.
bool mount_over(const fs::path& path, unsigned long flags, const char* options) {
    return ::unshare(CLONE_NEWNS) == 0
           && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0
           && ::mount("tmpfs", path.c_str(), "tmpfs", flags, options) == 0;
}

TEST_CASE("the files of a store are for its owner alone") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path() / "data");
    REQUIRE(store->append(messages(lobby, 1, 1)) == done);
    for (const auto* name : {"chatx.db", "chatx.db-wal", "chatx.db-shm"}) {
        struct stat status {};

        REQUIRE(::lstat((scratch.path() / "data" / name).c_str(), &status) == 0);
        CHECK((status.st_mode & 0777U) == 0600U);
    }
}

TEST_CASE("a store keeps the id it was made with") {
    const ScratchDirectory scratch;
    SeededEntropy first(1);
    SeededEntropy second(2);
    const auto id = (*SqliteStore::open(scratch.path(), first, {}))->id();
    CHECK((*SqliteStore::open(scratch.path(), second, {}))->id() == id);
    const ScratchDirectory other;
    CHECK((*SqliteStore::open(other.path(), second, {}))->id() != id);
}

TEST_CASE("a store in use is refused, naming the process") {
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    CHECK(contains(refusal(scratch.path()), "in use by process " + std::to_string(::getpid())));
}

TEST_CASE("a schema from a newer program is refused and left as it is") {
    const ScratchDirectory scratch;
    open_store(scratch.path()).reset();
    run_sql(scratch.path() / "chatx.db", "PRAGMA user_version = 3");
    CHECK(contains(refusal(scratch.path()), "has schema version 3, this program knows 2"));
    run_sql(scratch.path() / "chatx.db", "PRAGMA user_version = 2");
    open_store(scratch.path()).reset();
}

TEST_CASE("a store of version 1 is brought up to date and keeps what it has") {
    const ScratchDirectory scratch;
    REQUIRE(open_store(scratch.path())->save(messages(lobby, 1, 3)) == done);
    run_sql(
        scratch.path() / "chatx.db", "DROP INDEX dead_letters_by_room; PRAGMA user_version = 1");
    for (int start = 0; start < 2; ++start)
        CHECK(open_store(scratch.path())->load(lobby, {})->messages.size() == 3);
    CHECK(run_sql_for_number(scratch.path() / "chatx.db", "PRAGMA user_version") == 2);
}

TEST_CASE("a database of another program is refused and left as it is") {
    const ScratchDirectory scratch;
    run_sql(scratch.path() / "chatx.db", "CREATE TABLE theirs(x); PRAGMA journal_mode = DELETE");
    CHECK(contains(refusal(scratch.path()), "not a chatx store"));
    CHECK_FALSE(fs::exists(scratch.path() / "chatx.db-wal"));
}

TEST_CASE("tables that somebody changed are refused") {
    for (const auto* change :
         {"CREATE TRIGGER spy AFTER INSERT ON log BEGIN DELETE FROM messages; END",
          "CREATE INDEX messages_by_user ON messages(user)",
          "DROP TABLE epochs",
          "ALTER TABLE log ADD COLUMN extra TEXT"}) {
        const ScratchDirectory scratch;
        open_store(scratch.path()).reset();
        run_sql(scratch.path() / "chatx.db", change);
        CHECK(contains(refusal(scratch.path()), "its tables were changed"));
    }
}

TEST_CASE("statistics for the query planner are no change") {
    const ScratchDirectory scratch;
    REQUIRE(open_store(scratch.path())->save(messages(lobby, 1, 3)) == done);
    run_sql(scratch.path() / "chatx.db", "ANALYZE");
    CHECK(open_store(scratch.path())->load(lobby, {})->messages.size() == 3);
}

TEST_CASE("a file that is no database is refused and left as it is") {
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "chatx.db") << std::string(5000, 'x');
    CHECK(contains(refusal(scratch.path()), "not a chatx store"));
    CHECK(fs::file_size(scratch.path() / "chatx.db") == 5000);
}

TEST_CASE("a damaged header is refused") {
    for (const std::streamoff offset : {0, 5, 15, 16, 18, 20}) {
        const ScratchDirectory scratch;
        open_store(scratch.path()).reset();
        overwrite(scratch.path() / "chatx.db", offset, "\x7F");
        CHECK_FALSE(refusal(scratch.path()).empty());
    }
}

TEST_CASE("an empty file is damage, since a store gets its name when it is complete") {
    const ScratchDirectory scratch;
    open_store(scratch.path()).reset();
    fs::resize_file(scratch.path() / "chatx.db", 0);
    CHECK(contains(refusal(scratch.path()), "not a chatx store"));
}

TEST_CASE("a store whose making was cut short is made anew") {
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "chatx.db.new") << "half of it";
    CHECK(open_store(scratch.path())->append(messages(lobby, 1, 1)) == done);
    CHECK_FALSE(fs::exists(scratch.path() / "chatx.db.new"));
}

TEST_CASE("a write-ahead log without its file is not taken for a new store") {
    const ScratchDirectory scratch;
    std::ofstream(scratch.path() / "chatx.db-wal") << "entries";
    CHECK(contains(refusal(scratch.path()), "bring it back"));
    CHECK_FALSE(fs::exists(scratch.path() / "chatx.db"));
}

TEST_CASE("a file that may not be written is refused") {
    const ScratchDirectory scratch;
    open_store(scratch.path()).reset();
    overwrite(
        scratch.path() / "chatx.db",
        18,
        "\x03");  // The format for writing is one that SQLite does not know.
    CHECK(contains(refusal(scratch.path()), "cannot be written"));
}

TEST_CASE("links and other things in the place of a file are refused") {
    for (const auto* name : {"chatx.db", "chatx.db-wal", "chatx.db-shm", "chatx.lock"}) {
        const ScratchDirectory scratch;
        const auto data = scratch.path() / "data";
        fs::create_directory(data);
        fs::create_symlink(scratch.path() / "target", data / name);
        CHECK(contains(refusal(data), "a symbolic link"));
        fs::remove(data / name);
        fs::create_directory(data / name);
        CHECK(contains(refusal(data), "not a regular file"));
        CHECK_FALSE(fs::exists(scratch.path() / "target"));
    }
}

TEST_CASE("a store behind a linked directory opens") {
    const ScratchDirectory scratch;
    fs::create_directory(scratch.path() / "data");
    fs::create_directory_symlink(scratch.path() / "data", scratch.path() / "link");
    CHECK(open_store(scratch.path() / "link")->append(messages(lobby, 1, 1)) == done);
}

TEST_CASE("more reads at once than there are connections are refused, not made to wait") {
    FaultyDisk disk;
    const ScratchDirectory scratch;
    const auto store = open_store(scratch.path());
    std::vector<Result<HistoryPage>> pages;
    std::size_t reads = 0;
    disk.on_open([&] {  // A read that opens its connection is under way: begin another one.
        if (++reads <= sqlite_readers_max) pages.push_back(store->load(lobby, {}));
    });
    pages.push_back(store->load(lobby, {}));
    REQUIRE(pages.size() == sqlite_readers_max + 1);
    REQUIRE_FALSE(pages.front());
    CHECK(pages.front().error().reason == Reason::adapter_error);
    CHECK(contains(pages.front().error().detail, "too many reads"));
    for (std::size_t i = 1; i < pages.size(); ++i)
        CHECK(pages[i]);
    CHECK(store->load(lobby, {}));
}

TEST_CASE("a writer that another program keeps out says so after a bounded wait") {
    const ScratchDirectory scratch;
    SqliteStore::Options options;
    options.busy_timeout = std::chrono::milliseconds(20);
    const auto store = open_store(scratch.path(), options);
    sqlite3* shell = nullptr;
    REQUIRE(sqlite3_open((scratch.path() / "chatx.db").c_str(), &shell) == SQLITE_OK);
    REQUIRE(sqlite3_exec(shell, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
    const auto appended = store->append(messages(lobby, 1, 1));
    REQUIRE_FALSE(appended);
    CHECK(appended.error().reason == Reason::adapter_error);
    CHECK(contains(appended.error().detail, "held by another program"));
    CHECK(store->load(lobby, {}));
    sqlite3_close(shell);
    CHECK(store->append(messages(lobby, 1, 1)) == done);
}

TEST_CASE("a read-only file system is refused by its name") {
    const ScratchDirectory scratch;
    const auto said = chatx::test::in_child([&]() -> std::string {
        if (!mount_over(scratch.path(), MS_RDONLY, "mode=0700")) return "not permitted here";
        const auto opened = try_open(scratch.path());
        return opened ? "opened" : opened.error().detail;
    });
    if (said == "not permitted here")
        MESSAGE("no right to mount: nothing was tested");
    else
        CHECK(contains(said, "read-only file system"));
}

TEST_CASE("a file system that runs full refuses entries and loses none") {
    const ScratchDirectory scratch;
    const auto said = chatx::test::in_child([&]() -> std::string {
        if (!mount_over(scratch.path(), 0, "size=1m,mode=0700")) return "not permitted here";
        auto opened = try_open(scratch.path());
        if (!opened) return opened.error().detail;
        std::uint64_t stored = 0;
        while (stored < 10'000
               && (*opened)->append(messages(lobby, stored + 1, stored + 1)) == done)
            ++stored;
        if (stored == 10'000) return "never full";
        opened->reset();
        opened = try_open(scratch.path());
        if (!opened) return opened.error().detail;
        const auto room = (*opened)->open_room(lobby, recent_messages_max);
        if (!room) return room.error().detail;
        return room->state.seq == Seq{stored} && room->state.recent.size() == stored ? "all there"
                                                                                     : "some lost";
    });
    if (said == "not permitted here")
        MESSAGE("no right to mount: nothing was tested");
    else
        CHECK(said == "all there");
}

}  // namespace
}  // namespace chatx::node
