#include "node/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace chatx::node {

namespace {

std::uint64_t positive(long value) {
    return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

std::uint64_t milliseconds(const timeval& time) {
    return positive(time.tv_sec) * 1000 + positive(time.tv_usec) / 1000;
}

std::optional<std::uint64_t> resident_pages() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    if (!(file >> all >> resident)) return std::nullopt;
    return resident;
}

std::optional<std::uint64_t> count_open_fds() {
    std::error_code error;
    std::filesystem::directory_iterator entries("/proc/self/fd", error);
    std::uint64_t count = 0;
    while (!error && entries != std::filesystem::directory_iterator()) {
        ++count;
        entries.increment(error);
    }
    if (error || count == 0) return std::nullopt;
    return count - 1;  // Without the one that reads the directory.
}

}  // namespace

std::optional<ProcessStats> read_process_stats() {
    const auto pages = resident_pages();
    const auto open_fds = count_open_fds();
    rusage usage{};
    rlimit fds{};
    if (!pages || !open_fds || getrusage(RUSAGE_SELF, &usage) != 0
        || getrlimit(RLIMIT_NOFILE, &fds) != 0)
        return std::nullopt;
    return ProcessStats{
        .resident_bytes = *pages * positive(sysconf(_SC_PAGESIZE)),
        .open_fds = *open_fds,
        .fds_max = fds.rlim_cur,
        .cpu_ms = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)};
}

}  // namespace chatx::node
