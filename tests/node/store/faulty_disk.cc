#include "tests/node/store/faulty_disk.h"

#include <chatx/assert.h>

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <new>

namespace chatx::node::test {

namespace {

FaultyDisk* active = nullptr;
sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs shim_vfs;

/// What SQLite holds: our part, with the real file behind it in the same piece of memory.
struct ShimFile {
    sqlite3_file base;
    std::string* path;
};

ShimFile* shim(sqlite3_file* file) {
    return reinterpret_cast<ShimFile*>(file);
}

sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(shim(file) + 1);
}

template <auto Method, class... Arguments>
int forward(sqlite3_file* file, Arguments... arguments) {
    return (real(file)->pMethods->*Method)(real(file), arguments...);
}

int close_file(sqlite3_file* file) {
    delete shim(file)->path;
    return forward<&sqlite3_io_methods::xClose>(file);
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    if (active->full()) return SQLITE_FULL;
    const std::string copy(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
    active->written(*shim(file)->path, static_cast<std::size_t>(offset), copy);
    return forward<&sqlite3_io_methods::xWrite>(file, bytes, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    active->truncated(*shim(file)->path, static_cast<std::size_t>(size));
    return forward<&sqlite3_io_methods::xTruncate>(file, size);
}

int sync_file(sqlite3_file* file, int /*flags*/) {
    return active->synced(*shim(file)->path) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

void shared_memory_barrier(sqlite3_file* file) {
    real(file)->pMethods->xShmBarrier(real(file));
}

const sqlite3_io_methods shim_methods{
    2,
    close_file,
    forward<&sqlite3_io_methods::xRead, void*, int, sqlite3_int64>,
    write_file,
    truncate_file,
    sync_file,
    forward<&sqlite3_io_methods::xFileSize, sqlite3_int64*>,
    forward<&sqlite3_io_methods::xLock, int>,
    forward<&sqlite3_io_methods::xUnlock, int>,
    forward<&sqlite3_io_methods::xCheckReservedLock, int*>,
    forward<&sqlite3_io_methods::xFileControl, int, void*>,
    forward<&sqlite3_io_methods::xSectorSize>,
    forward<&sqlite3_io_methods::xDeviceCharacteristics>,
    forward<&sqlite3_io_methods::xShmMap, int, int, int, volatile void**>,
    forward<&sqlite3_io_methods::xShmLock, int, int, int>,
    shared_memory_barrier,
    forward<&sqlite3_io_methods::xShmUnmap, int>,
    nullptr,
    nullptr};

int open_file(
    sqlite3_vfs* /*vfs*/, const char* path, sqlite3_file* file, int flags, int* flags_out) {
    active->opening();
    const int code = real_vfs->xOpen(real_vfs, path, real(file), flags, flags_out);
    file->pMethods = nullptr;
    if (code != SQLITE_OK) return code;
    shim(file)->path = new std::string(path == nullptr ? "" : path);
    file->pMethods = &shim_methods;
    active->opened(*shim(file)->path);
    return SQLITE_OK;
}

int delete_file(sqlite3_vfs* /*vfs*/, const char* path, int sync_directory) {
    active->deleted(path);
    return real_vfs->xDelete(real_vfs, path, sync_directory);
}

std::string read_whole(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

FaultyDisk::FaultyDisk() {
    CHATX_ASSERT(active == nullptr);
    active = this;
    real_vfs = sqlite3_vfs_find(nullptr);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "chatx-faulty-disk";
    shim_vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + real_vfs->szOsFile;
    shim_vfs.pNext = nullptr;
    shim_vfs.xOpen = open_file;
    shim_vfs.xDelete = delete_file;
    sqlite3_vfs_register(&shim_vfs, 1);
}

FaultyDisk::~FaultyDisk() {
    sqlite3_vfs_unregister(&shim_vfs);
    active = nullptr;
}

void FaultyDisk::cut_power(
    const std::filesystem::path& from, const std::filesystem::path& to, Entropy& entropy) const {
    constexpr std::size_t sector = 512;
    for (const auto& [path, file] : files_) {
        const std::filesystem::path name(path);
        if (name.parent_path() != from) continue;
        auto image = file.durable;
        for (const auto& write : file.pending) {
            const auto fate = entropy.below(3);
            const auto sectors = write.bytes.size() / sector;
            if (fate == 1) apply(image, write, write.bytes.size());
            if (fate == 2) apply(image, write, sector * entropy.below(sectors + 1));
        }
        std::ofstream(to / name.filename(), std::ios::binary) << image;
    }
}

void FaultyDisk::opened(const std::string& path) {
    if (files_.count(path) == 0) files_[path].durable = read_whole(path);
}

void FaultyDisk::written(const std::string& path, std::size_t offset, std::string bytes) {
    files_[path].pending.push_back({offset, std::move(bytes), false});
}

void FaultyDisk::truncated(const std::string& path, std::size_t size) {
    files_[path].pending.push_back({size, {}, true});
}

bool FaultyDisk::synced(const std::string& path) {
    if (syncs_fail_) return false;
    auto& file = files_[path];
    for (const auto& write : file.pending)
        apply(file.durable, write, write.bytes.size());
    file.pending.clear();
    return true;
}

void FaultyDisk::apply(std::string& image, const Write& write, std::size_t bytes) {
    if (write.truncates) {
        image.resize(std::min(image.size(), write.offset));
        return;
    }
    if (bytes == 0) return;
    image.resize(std::max(image.size(), write.offset + bytes));
    image.replace(write.offset, bytes, write.bytes, 0, bytes);
}

}  // namespace chatx::node::test
