#include "tools/bench/server.h"

#include "tools/bench/interrupt.h"
#include "tools/bench/loopback.h"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace chatx::tools {

void wait_until_serving(const Process& process, std::uint16_t port, const std::string& program) {
    constexpr int tries_max = 500;
    constexpr std::chrono::milliseconds pause(20);
    for (int tries = 0; tries < tries_max; ++tries) {
        if (accepts(port)) return;
        if (!process.running()) break;
        std::this_thread::sleep_for(pause);
        check_interrupts();
    }
    throw std::runtime_error("cannot start " + program + "; --loud shows what it says");
}

}  // namespace chatx::tools
