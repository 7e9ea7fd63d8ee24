#include "node/net/secret.h"

#include <chatx/assert.h>

#include <sodium.h>

namespace chatx::node {

Secret draw_secret() {
    CHATX_ASSERT(sodium_init() >= 0);
    Secret secret{};
    randombytes_buf(secret.data(), secret.size());
    return secret;
}

}  // namespace chatx::node
