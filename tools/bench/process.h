#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace chatx::tools {

/// A process that a measurement started: ended with this object, by its id.
class Process {
public:
    /// Runs a program. What it prints goes to our standard error if `loud`, else nowhere.
    static Process run(const std::vector<std::string>& command, bool loud);

    /// Runs a function in a copy of this process.
    static Process fork(const std::function<void()>& body);

    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) = delete;
    ~Process();

    /// CPU time of all its threads so far, user and system.
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const;

    /// Resident memory, in bytes.
    [[nodiscard]] std::size_t resident_bytes() const;

    [[nodiscard]] bool running() const;

    [[nodiscard]] pid_t id() const { return id_; }

private:
    explicit Process(pid_t id) : id_(id) {}

    pid_t id_;
};

}  // namespace chatx::tools
