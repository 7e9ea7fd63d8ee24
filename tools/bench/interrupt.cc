#include "tools/bench/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace chatx::tools {

namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void note(int /*signal*/) {
    interrupted = 1;
}

}  // namespace

void note_interrupts() {
    struct sigaction action {};

    action.sa_handler = note;  // Without SA_RESTART: a wait ends, and what waits looks.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        sigaction(signal, &action, nullptr);
}

void check_interrupts() {
    if (interrupted != 0) throw Interrupted();
}

}  // namespace chatx::tools
