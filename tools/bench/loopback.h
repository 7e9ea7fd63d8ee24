#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

/// TCP sockets on the loopback address, the only one that a measurement talks to. What fails
/// throws.
namespace chatx::tools {

/// Lets this process and its children open as many files as it may. Returns how many.
std::size_t raise_open_files();

/// Closes all files of this process but the standard ones and these: a copy of a process is not to
/// keep the connections of the original open.
void close_files_but(std::vector<int> kept);

/// A socket that listens on a port of its own.
int listen_on_loopback();

/// The port of a socket.
std::uint16_t port_of(int socket);

/// A port that was free a moment ago.
std::uint16_t free_port();

/// Whether somebody takes connections there.
bool accepts(std::uint16_t port);

/// A connection that is being made: writable once it is there. Non-blocking, without Nagle's delay,
/// and closed without a trace: no port stays occupied for a minute.
int begin_connect(std::uint16_t port);

/// The same, waited for.
int connect_to(std::uint16_t port);

/// Takes in a client of a listening socket: non-blocking, without Nagle's delay.
int accept_from(int listener);

/// Sends everything, waiting where the peer is slow. False: the connection is gone, or nothing went
/// for 30 s.
[[nodiscard]] bool send_whole(int socket, std::string_view bytes);

}  // namespace chatx::tools
