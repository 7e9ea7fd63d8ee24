#pragma once

#include <chatx/assert.h>

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <string_view>

namespace chatx::test {

/// Writes a line at once, so that it is there when the process is killed right behind.
inline void report_line(int descriptor, std::string_view line) {
    const auto text = std::string(line) + '\n';
    CHATX_ASSERT(
        ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

/// A fork of the test that runs one function and ends without cleaning up, unless it is killed
/// before. The function gets a descriptor to report lines to.
class ChildProcess {
public:
    explicit ChildProcess(const std::function<void(int)>& run) {
        int ends[2];
        CHATX_ASSERT(::pipe(ends) == 0);
        id_ = ::fork();
        CHATX_ASSERT(id_ >= 0);
        if (id_ == 0) {
            ::close(ends[0]);
            run(ends[1]);
            ::_exit(0);
        }
        ::close(ends[1]);
        descriptor_ = ends[0];
    }

    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    ~ChildProcess() {
        kill();
        ::close(descriptor_);
    }

    [[nodiscard]] pid_t id() const { return id_; }

    /// The next line of the report; empty at its end. Waits for it.
    [[nodiscard]] std::string read_line() const {
        std::string line;
        char byte = 0;
        while (::read(descriptor_, &byte, 1) == 1 && byte != '\n')
            line += byte;
        return line;
    }

    /// Ends the child with SIGKILL, if it still runs, and waits until it is gone.
    void kill() {
        if (reaped_) return;
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
        reaped_ = true;
    }

private:
    pid_t id_ = -1;
    int descriptor_ = -1;
    bool reaped_ = false;
};

/// What a function says when it runs in a child: for what must not touch the test's own process.
inline std::string in_child(const std::function<std::string()>& run) {
    ChildProcess child([&](int report) { report_line(report, run()); });
    return child.read_line();
}

}  // namespace chatx::test
