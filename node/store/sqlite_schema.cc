#include "node/store/sqlite_schema.h"

#include <algorithm>
#include <limits>
#include <string>

namespace chatx::node {

namespace {

constexpr std::int64_t application_id = 0x63687478;  // "chtx"

// Numbers of 64 bits without a sign (ids, counters) are stored with the same bits. Messages refer
// to their room by a small key, since a name of 250 bytes in each key would double the file.
//
// `log` and `messages` are clustered by (room, place): WITHOUT ROWID. New entries of a room land
// behind its last one, in one leaf for each active room, and a page of history is a run of
// neighbouring rows in a few leaves; by rowid the rows of a room would lie scattered among those of
// all rooms, a disk page for each message read. The price is overflow pages for contents above some
// 1,000 bytes, which are rare in chat. `rooms` and `dead_letters` are found by their integer keys,
// which is what rowids are for.
constexpr auto schema = R"(
CREATE TABLE store(
    only_row INTEGER PRIMARY KEY CHECK(only_row = 1),
    id BLOB NOT NULL,
    epoch_counter INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE rooms(
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    lineage INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    node INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    last_inserted_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE epochs(
    room INTEGER NOT NULL,
    lineage INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    node INTEGER NOT NULL,
    first INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY(room, lineage, counter, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE log(
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK(seq > 0),
    lineage INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    node INTEGER NOT NULL,
    id INTEGER NOT NULL,
    user TEXT NOT NULL,
    content TEXT NOT NULL,
    inserted_at INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    reply_to INTEGER,
    checksum INTEGER NOT NULL,
    PRIMARY KEY(room, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages(
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK(seq > 0),
    lineage INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    node INTEGER NOT NULL,
    id INTEGER NOT NULL UNIQUE,
    user TEXT NOT NULL,
    content TEXT NOT NULL,
    inserted_at INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    reply_to INTEGER,
    checksum INTEGER NOT NULL,
    PRIMARY KEY(room, seq, lineage, counter, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    target TEXT NOT NULL,
    addressee TEXT,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    room TEXT NOT NULL,
    seq INTEGER NOT NULL,
    lineage INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    node INTEGER NOT NULL,
    message INTEGER NOT NULL,
    user TEXT NOT NULL,
    content TEXT NOT NULL,
    inserted_at INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    reply_to INTEGER,
    checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX dead_letters_by_room ON dead_letters(room, seq);
)";

/// What version 1 lacked.
constexpr auto upgrade = R"(
CREATE INDEX dead_letters_by_room ON dead_letters(room, seq);
PRAGMA user_version = 2;
)";

Error refusal(const SqliteConnection& connection, const std::string& detail) {
    return {Reason::adapter_error, connection.path() + ": " + detail, std::nullopt};
}

Result<std::int64_t> read_integer(SqliteConnection& connection, const char* sql) {
    SqliteStatement statement(connection, sql);
    SqliteQuery query(statement);
    if (!query.next()) return connection.error();
    return query.integer(0);
}

Result<std::string> describe(SqliteConnection& connection) {
    SqliteStatement statement(
        connection,
        "SELECT coalesce(group_concat(type || ' ' || name || ' ' || coalesce(sql, ''), char(10)), "
        "'')"
        " FROM (SELECT * FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY type, "
        "name)");
    SqliteQuery query(statement);
    if (!query.next()) return connection.error();
    return std::string(query.text(0));
}

Result<Done> set_up(SqliteConnection& connection, const SqliteLimits& limits) {
    SqliteStatement journal(connection, "PRAGMA journal_mode = WAL");
    SqliteQuery set_journal(journal);
    if (!set_journal.next()) return connection.error();
    if (set_journal.text(0) != "wal")
        return refusal(
            connection, "the file system cannot hold a write-ahead log: use a local disk");
    // Without a truncation the log file keeps the size of the largest burst.
    if (!connection.run("PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON; PRAGMA "
                        "journal_size_limit = 67108864")) {
        return connection.error();
    }
    if (limits.file_bytes_max == 0) return Done{};
    const auto page_bytes = read_integer(connection, "PRAGMA page_size");
    if (!page_bytes) return page_bytes.error();
    const auto pages = limits.file_bytes_max / static_cast<std::uint64_t>(*page_bytes);
    const auto pages_max =
        std::clamp<std::uint64_t>(pages, 1, std::numeric_limits<std::int32_t>::max());
    if (!connection.run(("PRAGMA max_page_count = " + std::to_string(pages_max)).c_str()))
        return connection.error();
    return Done{};
}

Result<Done> check_version(SqliteConnection& connection) {
    const auto owner = read_integer(connection, "PRAGMA application_id");
    if (!owner) return owner.error();
    if (*owner != application_id) {
        return refusal(
            connection, "not a chatx store: move it away or name another data directory");
    }
    const auto version = read_integer(connection, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version == 1 || *version == sqlite_schema_version) return Done{};
    return refusal(
        connection,
        "has schema version " + std::to_string(*version) + ", this program knows "
            + std::to_string(sqlite_schema_version)
            + ": run the program that wrote it, or a newer one");
}

Result<Done> check_schema(SqliteConnection& connection) {
    auto model = SqliteConnection::open_memory();
    if (!model) return model.error();
    if (!(*model)->run(schema)) return (*model)->error();
    const auto expected = describe(**model);
    const auto found = describe(connection);
    if (!expected) return expected.error();
    if (!found) return found.error();
    if (*expected == *found) return Done{};
    return refusal(connection, "its tables were changed by somebody else: restore a backup");
}

Result<Done> bring_up_to_date(SqliteConnection& connection) {
    const auto version = read_integer(connection, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version == sqlite_schema_version) return Done{};
    SqliteTransaction transaction(connection, SqliteConnection::Mode::write);
    if (!transaction.begun() || !connection.run(upgrade) || !transaction.commit())
        return connection.error();
    return Done{};
}

/// SQLite opens a file that it may not write for reading, without an error.
Result<Done> check_writable(SqliteConnection& connection) {
    if (!connection.read_only()) return Done{};
    return refusal(connection, "cannot be written: check its owner and its mode");
}

Result<Done> check_pages(SqliteConnection& connection, const SqliteLimits& limits) {
    const auto pages = read_integer(connection, "PRAGMA page_count");
    if (!pages) return pages.error();
    const auto page_bytes = read_integer(connection, "PRAGMA page_size");
    if (!page_bytes) return page_bytes.error();
    const auto bytes = static_cast<std::uint64_t>(*pages) * static_cast<std::uint64_t>(*page_bytes);
    if (bytes > limits.check_bytes_max) return Done{};
    SqliteStatement check(connection, "PRAGMA integrity_check(1)");
    SqliteQuery query(check);
    if (!query.next()) return connection.error();
    if (query.text(0) == "ok") return Done{};
    return refusal(connection, "damaged: keep the file, restore a backup");
}

}  // namespace

Result<Done> create_schema(SqliteConnection& connection) {
    const auto marks = "PRAGMA application_id = " + std::to_string(application_id)
                       + "; PRAGMA user_version = " + std::to_string(sqlite_schema_version);
    SqliteTransaction transaction(connection, SqliteConnection::Mode::write);
    if (!transaction.begun() || !connection.run(schema) || !connection.run(marks.c_str())
        || !transaction.commit()) {
        return connection.error();
    }
    return Done{};
}

Result<Done> prepare_connection(SqliteConnection& connection, const SqliteLimits& limits) {
    for (auto* check : {check_version, check_writable, bring_up_to_date, check_schema}) {
        if (auto checked = check(connection); !checked) return checked;
    }
    if (auto checked = check_pages(connection, limits); !checked) return checked;
    return set_up(connection, limits);
}

}  // namespace chatx::node
