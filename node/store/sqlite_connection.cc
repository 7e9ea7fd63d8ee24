#include "node/store/sqlite_connection.h"

#include <sqlite3.h>

#include <chrono>
#include <utility>

namespace chatx::node {

namespace {

std::string explain(int code, const std::string& path) {
    switch (code & 0xFF) {
        case SQLITE_FULL:
            return path + ": no space left (disk, quota or `file_bytes_max`): free some";
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return path + ": held by another program: end it";
        case SQLITE_CORRUPT:
            return path + ": damaged: stop the node, keep the file, restore a backup";
        case SQLITE_NOTADB:
            return path + ": not a chatx store: move it away or name another data directory";
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return path + ": cannot be written: check its owner, its mode and the file system";
        case SQLITE_CANTOPEN:
            return path + ": cannot be opened: check its owner and its mode, and that it is no symbolic link";
        case SQLITE_IOERR:
            return path + ": the disk failed (" + sqlite3_errstr(code)
                   + "): look into the system's log, then start the node again";
        case SQLITE_CONSTRAINT:
            return path + ": refused a record that breaks a rule of the schema";
        default:
            return path + ": " + sqlite3_errstr(code);
    }
}

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(
    const std::string& path, Mode mode, Duration busy_timeout) {
    return open_with(
        path, mode == Mode::write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, busy_timeout);
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open_memory() {
    return open_with(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, Duration::zero());
}

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open_with(
    const std::string& path, int flags, Duration busy_timeout) {
    sqlite3* handle = nullptr;
    const int always = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags | always, nullptr);
    std::unique_ptr<SqliteConnection> connection(new SqliteConnection(path, handle));
    if (!connection->check(code)) return connection->error();
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(busy_timeout);
    sqlite3_busy_timeout(handle, static_cast<int>(wait.count()));
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return connection;
}

SqliteConnection::SqliteConnection(std::string path, sqlite3* handle)
    : path_(std::move(path)), handle_(handle) {}

SqliteConnection::~SqliteConnection() {
    sqlite3_close(handle_);
}

bool SqliteConnection::run(const char* statements) {
    return check(sqlite3_exec(handle_, statements, nullptr, nullptr, nullptr));
}

Error SqliteConnection::error() const {
    return {Reason::adapter_error, explain(failure_, path_), std::nullopt};
}

bool SqliteConnection::disk_failed() const {
    return (failure_ & 0xFF) == SQLITE_IOERR;
}

bool SqliteConnection::file_damaged() const {
    const int kind = failure_ & 0xFF;
    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
}

bool SqliteConnection::read_only() const {
    return sqlite3_db_readonly(handle_, "main") != 0;
}

std::int64_t SqliteConnection::changes() const {
    return sqlite3_changes64(handle_);
}

std::int64_t SqliteConnection::last_insert_key() const {
    return sqlite3_last_insert_rowid(handle_);
}

bool SqliteConnection::in_transaction() const {
    return sqlite3_get_autocommit(handle_) == 0;
}

bool SqliteConnection::check(int code) {
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return true;
    failure_ = code;
    return false;
}

SqliteStatement::~SqliteStatement() {
    sqlite3_finalize(handle_);
}

SqliteQuery::SqliteQuery(Prepared /*unused*/, SqliteStatement& statement)
    : statement_(statement), ok_(true) {
    if (statement.handle_ != nullptr) return;
    auto& connection = statement.connection_;
    ok_ = connection.check(sqlite3_prepare_v3(
        connection.handle_,
        statement.sql_,
        -1,
        SQLITE_PREPARE_PERSISTENT,
        &statement.handle_,
        nullptr));
}

SqliteQuery::~SqliteQuery() {
    if (statement_.handle_ == nullptr) return;
    sqlite3_reset(statement_.handle_);
    sqlite3_clear_bindings(statement_.handle_);
}

bool SqliteQuery::next() {
    if (!ok_) return false;
    const int code = sqlite3_step(statement_.handle_);
    ok_ = statement_.connection_.check(code);
    return code == SQLITE_ROW;
}

bool SqliteQuery::done() {
    while (next()) {
    }
    return ok_;
}

std::int64_t SqliteQuery::integer(int column) const {
    return sqlite3_column_int64(statement_.handle_, column);
}

bool SqliteQuery::is_null(int column) const {
    return sqlite3_column_type(statement_.handle_, column) == SQLITE_NULL;
}

std::string_view SqliteQuery::text(int column) const {
    const void* bytes = sqlite3_column_blob(statement_.handle_, column);
    const int size = sqlite3_column_bytes(statement_.handle_, column);
    if (bytes == nullptr) return {};
    return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

void SqliteQuery::bind_integer(int index, std::int64_t value) {
    if (ok_)
        ok_ = statement_.connection_.check(sqlite3_bind_int64(statement_.handle_, index, value));
}

/// Copied, so that the caller's text may be a temporary; an empty view must not become NULL.
void SqliteQuery::bind_text(int index, std::string_view text) {
    if (!ok_) return;
    const char* bytes = text.empty() ? "" : text.data();
    ok_ = statement_.connection_.check(sqlite3_bind_text64(
        statement_.handle_,
        index,
        bytes,
        text.size(),
        SQLITE_TRANSIENT,  // NOLINT(performance-no-int-to-ptr): SQLite's own constant.
        SQLITE_UTF8));
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection, SqliteConnection::Mode mode)
    : connection_(connection),
      begun_(connection.run(mode == SqliteConnection::Mode::write ? "BEGIN IMMEDIATE" : "BEGIN")) {}

SqliteTransaction::~SqliteTransaction() {
    if (begun_ && connection_.in_transaction()) connection_.run("ROLLBACK");
}

bool SqliteTransaction::commit() {
    return connection_.run("COMMIT");
}

}  // namespace chatx::node
