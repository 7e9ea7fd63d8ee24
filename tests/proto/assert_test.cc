#include <chatx/assert.h>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

namespace chatx {

namespace {

struct Ended {
    int signal = 0;
    std::string said;
};

/// What becomes of a process in which an assertion fails.
Ended fail_in_a_child() {
    std::array<int, 2> pipe_ends{};
    REQUIRE(pipe(pipe_ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        dup2(pipe_ends[1], STDERR_FILENO);
        CHATX_ASSERT(1 + 1 == 3);
        _exit(0);
    }
    close(pipe_ends[1]);
    Ended ended;
    std::array<char, 256> buffer{};
    while (true) {
        const auto size = read(pipe_ends[0], buffer.data(), buffer.size());
        if (size <= 0) break;
        ended.said.append(buffer.data(), static_cast<std::size_t>(size));
    }
    close(pipe_ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
    return ended;
}

}  // namespace

TEST_CASE("an assertion that holds looks once and goes on") {
    int looks = 0;
    CHATX_ASSERT(++looks == 1);
    CHECK(looks == 1);
}

TEST_CASE("an assertion that fails says what and where, and ends the process") {
    const auto ended = fail_in_a_child();
    CHECK(ended.signal == SIGABRT);
    CHECK(ended.said.find("assertion failed: 1 + 1 == 3") != std::string::npos);
    CHECK(ended.said.find("assert_test.cc:") != std::string::npos);
}

}  // namespace chatx
