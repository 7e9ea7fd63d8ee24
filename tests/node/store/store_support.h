#pragma once

#include <chatx/entropy.h>
#include <chatx/result.h>

#include "node/store/sqlite.h"
#include "tests/support/messages.h"
#include "tests/support/scratch_directory.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace chatx::node::test {

using chatx::test::message_at;
using chatx::test::message_ptr;
using chatx::test::messages;
using chatx::test::room_named;
using chatx::test::ScratchDirectory;
using chatx::test::seqs;
using chatx::test::shared;
using chatx::test::user_named;
using chatx::test::values;

inline const Result<Done> done{Done{}};
inline const WallTime noon{WallTime::duration(1'750'000'000'000)};

inline Result<std::unique_ptr<SqliteStore>> try_open(
    const std::filesystem::path& directory, const SqliteStore::Options& options = {}) {
    SeededEntropy entropy(7);
    return SqliteStore::open(directory, entropy, options);
}

inline std::unique_ptr<SqliteStore> open_store(
    const std::filesystem::path& directory, const SqliteStore::Options& options = {}) {
    auto opened = try_open(directory, options);
    INFO((opened ? std::string() : opened.error().detail));
    REQUIRE(opened);
    return std::move(*opened);
}

/// Why the store does not open, without the path in front.
inline std::string refusal(
    const std::filesystem::path& directory, const SqliteStore::Options& options = {}) {
    const auto opened = try_open(directory, options);
    REQUIRE_FALSE(opened);
    return opened.error().detail;
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline StoredRoom read_room(Log& log, const RoomId& room, std::size_t recent_max = 100) {
    auto found = log.open_room(room, recent_max);
    INFO((found ? std::string() : found.error().detail));
    REQUIRE(found);
    return std::move(*found);
}

}  // namespace chatx::node::test
