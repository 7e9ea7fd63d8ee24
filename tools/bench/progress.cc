#include "tools/bench/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace chatx::tools {

Progress::Progress(std::string name, std::size_t steps)
    : name_(std::move(name)),
      steps_(std::max<std::size_t>(1, steps)),
      terminal_(isatty(STDERR_FILENO) != 0) {
    show();
}

Progress::~Progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::step() {
    done_ = std::min(done_ + 1, steps_);
    show();
}

void Progress::show() const {
    if (!terminal_) return;
    constexpr std::size_t width = 40;
    const std::size_t filled = width * done_ / steps_;
    const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::fprintf(stderr, "\r%-8s [%s] %zu of %zu", name_.c_str(), bar.c_str(), done_, steps_);
}

}  // namespace chatx::tools
