#pragma once

#include <chatx/errors.h>
#include <chatx/result.h>
#include <chatx/time.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace chatx::node {

/// A connection to an SQLite database, used by one thread at a time. It remembers the last failure,
/// so that a chain of calls is checked once and worded in one place.
class SqliteConnection {
public:
    enum class Mode : std::uint8_t { read, write };

    /// Opens an existing file, never through a symbolic link. `busy_timeout` bounds the wait for
    /// other programs.
    static Result<std::unique_ptr<SqliteConnection>> open(
        const std::string& path, Mode mode, Duration busy_timeout);

    /// A database in memory, empty.
    static Result<std::unique_ptr<SqliteConnection>> open_memory();

    SqliteConnection(const SqliteConnection&) = delete;
    SqliteConnection& operator=(const SqliteConnection&) = delete;
    ~SqliteConnection();

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Runs statements without parameters or results; for the schema and settings.
    bool run(const char* statements);

    /// What failed last, in one line with a remedy: never with stored content.
    [[nodiscard]] Error error() const;

    /// The last failure came from the disk itself (not from a full one), so it cannot be said what
    /// was written.
    [[nodiscard]] bool disk_failed() const;

    /// The last failure was that SQLite cannot make sense of the file.
    [[nodiscard]] bool file_damaged() const;

    /// The file cannot be written, as SQLite found when it read the header.
    [[nodiscard]] bool read_only() const;

    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] std::int64_t last_insert_key() const;
    [[nodiscard]] bool in_transaction() const;

private:
    friend class SqliteStatement;
    friend class SqliteQuery;

    SqliteConnection(std::string path, sqlite3* handle);
    static Result<std::unique_ptr<SqliteConnection>> open_with(
        const std::string& path, int flags, Duration busy_timeout);
    bool check(int code);

    std::string path_;
    sqlite3* handle_;
    int failure_ = 0;  // SQLite's extended code.
};

/// A prepared statement: text that never contains data. Prepared at its first use, kept for the
/// next.
class SqliteStatement {
public:
    /// `sql` is static text.
    SqliteStatement(SqliteConnection& connection, const char* sql)
        : connection_(connection), sql_(sql) {}

    SqliteStatement(const SqliteStatement&) = delete;
    SqliteStatement& operator=(const SqliteStatement&) = delete;
    ~SqliteStatement();

private:
    friend class SqliteQuery;

    SqliteConnection& connection_;
    const char* sql_;
    sqlite3_stmt* handle_ = nullptr;
};

/// One run of a statement, with its parameters in order. The statement is free for the next run
/// when this object is gone; until then it must not be run again. After a failure `next` is false
/// and `ok` too.
class SqliteQuery {
public:
    template <class... Parameters>
    explicit SqliteQuery(SqliteStatement& statement, const Parameters&... parameters)
        : SqliteQuery(Prepared{}, statement) {
        int index = 0;
        (bind(++index, parameters), ...);
    }

    SqliteQuery(const SqliteQuery&) = delete;
    SqliteQuery& operator=(const SqliteQuery&) = delete;
    ~SqliteQuery();

    /// Moves to the next row. False at the end, and after a failure.
    bool next();

    /// Runs a statement without rows to its end. False after a failure.
    bool done();

    [[nodiscard]] bool ok() const { return ok_; }

    /// A column of the present row, counted from 0. NULL reads as 0 and as the empty text.
    [[nodiscard]] std::int64_t integer(int column) const;

    [[nodiscard]] std::uint64_t bits(int column) const {
        return static_cast<std::uint64_t>(integer(column));
    }

    [[nodiscard]] bool is_null(int column) const;

    /// Valid until the next row. Text and blobs alike.
    [[nodiscard]] std::string_view text(int column) const;

private:
    struct Prepared {};

    SqliteQuery(Prepared, SqliteStatement& statement);

    void bind(int index, std::integral auto value) {
        bind_integer(index, static_cast<std::int64_t>(value));
    }

    void bind(int index, std::string_view text) { bind_text(index, text); }

    void bind(int index, const std::optional<std::uint64_t>& value) {
        if (value) bind_integer(index, static_cast<std::int64_t>(*value));
    }

    void bind_integer(int index, std::int64_t value);
    void bind_text(int index, std::string_view text);

    SqliteStatement& statement_;
    bool ok_;
};

/// A transaction, undone at the end of its life unless it was committed.
class SqliteTransaction {
public:
    /// `read` sees one state of the database throughout; `write` also keeps other writers out.
    SqliteTransaction(SqliteConnection& connection, SqliteConnection::Mode mode);
    SqliteTransaction(const SqliteTransaction&) = delete;
    SqliteTransaction& operator=(const SqliteTransaction&) = delete;
    ~SqliteTransaction();

    [[nodiscard]] bool begun() const { return begun_; }

    bool commit();

private:
    SqliteConnection& connection_;
    bool begun_;
};

}  // namespace chatx::node
