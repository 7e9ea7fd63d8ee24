#include "tools/bench/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace chatx::tools {

namespace {

// A child must not outlive a measurement that was killed.
void end_with_parent(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // It was killed before that.
}

pid_t checked_fork() {
    std::fflush(nullptr);
    const pid_t id = ::fork();
    if (id < 0) throw std::runtime_error("cannot start a process");
    return id;
}

}  // namespace

Process Process::run(const std::vector<std::string>& command, bool loud) {
    const pid_t parent = getpid();
    const pid_t id = checked_fork();
    if (id > 0) return Process(id);
    end_with_parent(parent);
    // Our standard output is for the figures.
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nowhere, STDIN_FILENO);
    dup2(loud ? STDERR_FILENO : nowhere, STDOUT_FILENO);
    if (!loud) dup2(nowhere, STDERR_FILENO);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& argument : command)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    execv(arguments.front(), arguments.data());
    _exit(127);
}

Process Process::fork(const std::function<void()>& body) {
    const pid_t parent = getpid();
    const pid_t id = checked_fork();
    if (id > 0) return Process(id);
    end_with_parent(parent);
    try {
        body();
    } catch (...) {
        _exit(1);  // Nothing of the copy's stack is to be run.
    }
    _exit(0);
}

Process::Process(Process&& other) noexcept : id_(std::exchange(other.id_, 0)) {}

Process::~Process() {
    if (id_ == 0) return;
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
}

std::chrono::nanoseconds Process::cpu_time() const {
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(id_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        throw std::runtime_error("the measured process is gone");
    }
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::size_t Process::resident_bytes() const {
    std::ifstream statm("/proc/" + std::to_string(id_) + "/statm");
    std::size_t size = 0;
    std::size_t resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

bool Process::running() const {
    siginfo_t ended{};  // Only looked at: the id stays ours until it is waited for.
    return waitid(P_PID, static_cast<id_t>(id_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0
           && ended.si_pid == 0;
}

}  // namespace chatx::tools
