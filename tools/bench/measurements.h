#pragma once

#include "tools/bench/options.h"
#include "tools/bench/result.h"

#include <cstddef>

/// What is measured. Every measurement starts servers of its own and ends them; it throws when one
/// of them, or a client, fails. CPU time is that of the server's process alone.
namespace chatx::tools {

/// In `rooms`: people in a room, and rooms of a person.
inline constexpr std::size_t rooms_room_size = 10;
inline constexpr std::size_t rooms_of_each = 5;

/// Messages on their way in a room at a time where the command line does not say.
inline constexpr std::size_t fanout_undelivered = 8;
inline constexpr std::size_t rooms_undelivered = 1;

/// People in a room where the command line does not say. A join tells the others of the room, which
/// is not what `connect` is about.
inline constexpr std::size_t connect_room_size = 1;
inline constexpr std::size_t storm_room_size = 10;
inline constexpr std::size_t idle_room_size = 10;

/// How many clients take part where the command line does not say.
inline constexpr std::size_t connect_clients = 1000;
inline constexpr std::size_t fanout_clients = 1000;
inline constexpr std::size_t rooms_clients = 2000;
inline constexpr std::size_t storm_clients = 5000;
inline constexpr std::size_t idle_clients = 5000;
inline constexpr std::size_t latency_clients = 100;

/// Clients connect and join a room, again and again: joins for each second of CPU time. The floor
/// answers without reading.
Result measure_connect(const Options& options);

/// One room, many subscribers: deliveries for each second of CPU time, against a floor that only
/// sends bytes made beforehand.
Result measure_fanout(const Options& options);

/// Many small rooms that overlap, messages in all of them at once: deliveries for each second of
/// CPU time, against a floor that sends each client all of its messages at once.
Result measure_rooms(const Options& options);

/// All clients lose their connections and come back at once: how long it takes until all are in
/// their rooms again, how much CPU time, and how often one was refused.
Result measure_storm(const Options& options);

/// Clients are in their rooms and silent: resident memory for each of them, and the CPU time that
/// passes with nothing to do. The first tenth of them does not count: it pays for what is there
/// once.
Result measure_idle(const Options& options);

/// One room, messages at a steady rate: how long from send to receipt. A message counts from the
/// moment at which it was due, so that a server that holds up the sender does not hide it.
Result measure_latency(const Options& options);

}  // namespace chatx::tools
