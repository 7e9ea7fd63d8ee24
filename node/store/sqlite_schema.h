#pragma once

#include <chatx/result.h>

#include "node/store/sqlite_connection.h"

#include <cstdint>

namespace chatx::node {

/// The version of the schema that this program writes. A newer one is refused, so that an old
/// program never damages what it does not know.
inline constexpr std::int64_t sqlite_schema_version = 2;

/// How the writer treats the file.
struct SqliteLimits {
    std::uint64_t file_bytes_max =
        0;  // Bound of the main file; beyond, writes are refused as on a full disk. 0: none.
    std::uint64_t check_bytes_max = std::uint64_t{64}
                                    << 20;  // Files up to this size are checked whole when opened.
};

/// Makes the tables in an empty database, in one transaction.
Result<Done> create_schema(SqliteConnection& connection);

/// Checks that a database is ours, of our version and undamaged as far as is cheap, then sets up
/// the connection that writes: write-ahead log, every commit synced. A database of version 1 is
/// brought to version 2 first; a program of that time then refuses it.
///
/// What is checked: the header, the application id, the version, that the schema is word for word
/// that of the version (a foreign trigger would run with our rights), and in small files every page
/// (`PRAGMA integrity_check`: some 0.2 s for 64 MiB). Damage in larger files is found by the
/// checksum of each record when it is read.
Result<Done> prepare_connection(SqliteConnection& connection, const SqliteLimits& limits);

}  // namespace chatx::node
