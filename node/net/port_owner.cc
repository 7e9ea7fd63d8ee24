#include "node/net/port_owner.h"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace chatx::node {

namespace {

namespace fs = std::filesystem;

/// The inode of the socket that listens on the port, from the kernel's table: column 1 is the local
/// address with the port in hexadecimal, column 3 the state (0A: listening), column 9 the inode.
std::optional<std::string> listening_inode(const char* table, std::uint16_t port) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream columns(line);
        std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        columns >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user
            >> timeout >> inode;
        const std::size_t colon = local.rfind(':');
        if (!columns || colon == local.npos || state != "0A") continue;
        if (std::stoul(local.substr(colon + 1), nullptr, 16) == port) return inode;
    }
    return std::nullopt;
}

bool holds(const fs::path& process, const std::string& link) {
    std::error_code error;
    for (const auto& descriptor : fs::directory_iterator(process / "fd", error)) {
        std::error_code unreadable;
        if (fs::read_symlink(descriptor.path(), unreadable) == link) return true;
    }
    return false;
}

}  // namespace

std::string port_owner(std::uint16_t port) {
    auto inode = listening_inode("/proc/net/tcp", port);
    if (!inode) inode = listening_inode("/proc/net/tcp6", port);
    if (!inode) return "another process";
    const std::string link = "socket:[" + *inode + "]";
    std::error_code error;
    for (const auto& process : fs::directory_iterator("/proc", error)) {
        const std::string id = process.path().filename();
        if (std::isdigit(static_cast<unsigned char>(id.front())) == 0
            || !holds(process.path(), link))
            continue;
        std::string name;
        std::getline(std::ifstream(process.path() / "comm"), name);
        return name + " (process " + id + ")";
    }
    return "another process";
}

}  // namespace chatx::node
