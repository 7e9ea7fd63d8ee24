#pragma once

/// Ctrl-C and the polite request to end: noticed where the program waits, so that everything it
/// started is ended in order.
namespace chatx::tools {

/// Thrown out of a measurement that is to end early.
struct Interrupted {};

/// From now on SIGINT, SIGTERM and SIGHUP are noted instead of ending the program at once.
void note_interrupts();

/// Throws `Interrupted` when one was noted.
void check_interrupts();

}  // namespace chatx::tools
