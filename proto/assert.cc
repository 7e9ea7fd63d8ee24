#include <chatx/assert.h>

#include <cstdio>
#include <cstdlib>

namespace chatx::detail {

void assert_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "chatx: assertion failed: %s, %s:%d\n", expression, file, line);
    std::abort();
}

}  // namespace chatx::detail
