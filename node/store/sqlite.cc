#include "node/store/sqlite.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace chatx::node {

namespace {

constexpr auto file_name = "chatx.db";
constexpr auto unfinished_name = "chatx.db.new";

/// Makes the file if there is none. It gets its name when it is complete, so that an empty or a cut
/// file under that name is damage and not a store to be.
Result<Done> make_file(const DataDirectory& directory, Entropy& entropy) {
    const auto present = directory.has_file(file_name);
    const auto log_present = directory.has_file("chatx.db-wal");
    for (const auto& checked : {present, log_present, directory.has_file("chatx.db-shm")}) {
        if (!checked) return checked.error();
    }
    if (*present) return Done{};
    if (*log_present) {
        return Error{
            Reason::adapter_error,
            directory.file(file_name)
                + ": missing, but its write-ahead log is there: bring it back, or remove both",
            std::nullopt};
    }
    if (auto created = directory.create_file(unfinished_name); !created) return created;
    if (auto created = SqliteWriter::create(directory.file(unfinished_name), entropy); !created)
        return created;
    return directory.rename_file(unfinished_name, file_name);
}

}  // namespace

/// A reader slot for the life of this object; empty when all were taken.
class SqliteStore::ReaderLease {
public:
    explicit ReaderLease(std::array<ReaderSlot, sqlite_readers_max>& slots)
        : slot_(std::find_if(
            slots.begin(),
            slots.end(),
            [](ReaderSlot& slot) { return !slot.taken.test_and_set(std::memory_order_acquire); })),
          empty_(slot_ == slots.end()) {}

    ReaderLease(const ReaderLease&) = delete;
    ReaderLease& operator=(const ReaderLease&) = delete;

    ~ReaderLease() {
        if (!empty_) slot_->taken.clear(std::memory_order_release);
    }

    [[nodiscard]] bool empty() const { return empty_; }

    std::unique_ptr<SqliteReader>& reader() { return slot_->reader; }

private:
    std::array<ReaderSlot, sqlite_readers_max>::iterator slot_;
    bool empty_;
};

template <class Read>
auto SqliteStore::with_reader(Read&& read) {
    using Answer = std::invoke_result_t<Read, SqliteReader&>;
    ReaderLease lease(readers_);
    if (lease.empty()) {
        return Answer(
            Error{Reason::adapter_error, "too many reads of the store at once", std::nullopt});
    }
    if (!lease.reader()) {
        auto opened = SqliteReader::open(directory_->file(file_name), options_.busy_timeout);
        if (!opened) return Answer(opened.error());
        lease.reader() = std::move(*opened);
    }
    return read(*lease.reader());
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(
    const std::filesystem::path& directory, Entropy& entropy, const Options& options) {
    auto held = DataDirectory::open(directory);
    if (!held) return held.error();
    if (auto ready = make_file(**held, entropy); !ready) return ready.error();
    auto writer =
        SqliteWriter::open((*held)->file(file_name), options.limits, options.busy_timeout);
    if (!writer) return writer.error();
    return std::unique_ptr<SqliteStore>(
        new SqliteStore(std::move(*held), std::move(*writer), options));
}

SqliteStore::SqliteStore(
    std::unique_ptr<DataDirectory> directory, std::unique_ptr<SqliteWriter> writer, Options options)
    : options_(options), directory_(std::move(directory)), writer_(std::move(writer)) {}

/// The writer closes last: it moves the write-ahead log into the main file.
SqliteStore::~SqliteStore() {
    for (auto& slot : readers_)
        slot.reader.reset();
}

std::array<char, 16> SqliteStore::id() const {
    return writer_->identity().id;
}

Result<Done> SqliteStore::append(std::span<const MessagePtr> batch) {
    return writer_->append(batch);
}

Result<Done> SqliteStore::truncate(std::span<const LogPosition> archived) {
    return writer_->truncate(archived);
}

Result<Epoch> SqliteStore::begin_epoch(WallTime now) {
    return writer_->begin_epoch(now);
}

Result<MessageId> SqliteStore::last_id() {
    return with_reader([](SqliteReader& reader) { return reader.last_id(); });
}

Result<StoredRoom> SqliteStore::open_room(const RoomId& room, std::size_t recent_max) {
    return with_reader([&](SqliteReader& reader) { return reader.open_room(room, recent_max); });
}

Result<std::vector<engine::Dedupe::Applied>> SqliteStore::recent_sends(
    const RoomId& room, WallTime since, std::size_t places_max) {
    return with_reader(
        [&](SqliteReader& reader) { return reader.recent_sends(room, since, places_max); });
}

Result<std::vector<MessagePtr>> SqliteStore::backlog(
    const std::optional<LogPosition>& after, std::size_t limit) {
    return with_reader([&](SqliteReader& reader) { return reader.backlog(after, limit); });
}

Result<std::vector<RoomHead>> SqliteStore::rooms(std::string_view after, std::size_t limit) {
    return with_reader([&](SqliteReader& reader) { return reader.rooms(after, limit); });
}

Result<Done> SqliteStore::save(std::span<const MessagePtr> batch) {
    return writer_->save(batch);
}

Result<HistoryPage> SqliteStore::load(const RoomId& room, const HistoryRange& range) {
    return with_reader([&](SqliteReader& reader) { return reader.load(room, range); });
}

Result<std::size_t> SqliteStore::add(std::span<const DeadLetter> letters) {
    return writer_->add_dead_letters(letters, options_.dead_letters_max);
}

Result<std::vector<DeadLetter>> SqliteStore::list(std::uint64_t after, std::size_t limit) {
    return with_reader([&](SqliteReader& reader) { return reader.dead_letters(after, limit); });
}

Result<std::optional<DeadLetter>> SqliteStore::find(std::uint64_t id) {
    return with_reader([&](SqliteReader& reader) { return reader.dead_letter(id); });
}

Result<Done> SqliteStore::remove(std::uint64_t id) {
    return writer_->remove_dead_letter(id);
}

Result<std::size_t> SqliteStore::count() {
    return with_reader([](SqliteReader& reader) { return reader.dead_letter_count(); });
}

}  // namespace chatx::node
