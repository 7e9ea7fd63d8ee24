#pragma once

#include <cstdint>
#include <string>

namespace chatx::node {

/// Which process of this machine listens on a TCP port, for an error message: `nginx (process
/// 123)`, or `another process` when it is not ours to see.
std::string port_owner(std::uint16_t port);

}  // namespace chatx::node
