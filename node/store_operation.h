#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chatx::node {

/// What the node asks of its store: a closed set, each value with a fixed name for metrics and
/// logs.
enum class StoreOperation : std::uint8_t {
    append,        // Entries into the log.
    begin_epoch,   // A new reign, for rooms whose entries were lost.
    save,          // Messages into the archive.
    truncate,      // The log forgets what is done.
    dead_letters,  // Keep or count what delivery gave up on.
    open,          // What is known of a room.
    read,          // A page of history.
};

inline constexpr std::array<std::string_view, 7> store_operations{
    "append", "begin_epoch", "save", "truncate", "dead_letters", "open", "read"};

constexpr std::string_view to_text(StoreOperation operation) {
    return store_operations[static_cast<std::size_t>(operation)];
}

}  // namespace chatx::node
