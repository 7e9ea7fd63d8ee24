#pragma once

#include "node/gateway/admin_answer.h"
#include "node/gateway/questions.h"
#include "node/net/shard.h"
#include "node/net/store_worker.h"
#include "node/store/dead_letters.h"
#include "node/store/log.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace chatx::node {

/// The store as the admin API uses it: on the store's own threads only.
struct AdminStore {
    StoreWorker& worker;
    Log& log;
    Persistence& archive;
    DeadLetters& letters;
};

/// What the parts of the admin API share. All of it outlives them.
struct AdminContext {
    boost::asio::io_context& io;  // The control loop.
    Questions& questions;
    const std::vector<std::unique_ptr<Shard>>& shards;
    std::optional<AdminStore> store;  // Nothing on a node that keeps memory only.
    std::string node;                 // Its name.

    [[nodiscard]] Coverage all() const { return {node, true}; }
};

/// How long a shard or the store may take to answer.
inline constexpr auto admin_wait = std::chrono::seconds(5);

}  // namespace chatx::node
