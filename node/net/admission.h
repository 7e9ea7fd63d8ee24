#pragma once

#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/token_bucket.h"
#include "node/net/shared_token_bucket.h"
#include "node/refusals.h"

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>

namespace chatx::node {

/// Counts the connections of the node, by address and by user, and says no beyond a limit. What
/// counts as one address is an IPv4 address or the /64 that an IPv6 host may choose from; the
/// loopback has no limit of its own. Any thread.
///
/// An address is remembered while it has connections or long-poll sessions, and then until its
/// buckets are full again, so that coming anew is no way around them; of those without any at most
/// `idle_addresses_max`, the ones that would be forgotten last.
class Admission {
public:
    struct Limits {
        std::size_t connections_max = 100'000;
        std::size_t connections_per_address_max = 256;
        std::size_t connections_per_user_max = 16;
        std::size_t pending_max = 1024;  // Connections that have sent no whole request yet.
        std::size_t pending_per_address_max = 32;
        std::size_t idle_addresses_max = 10'000;
        engine::TokenRate accepts{{.tokens_per_sec = 50, .burst = 100}};    // Of one address.
        engine::TokenRate frames{{.tokens_per_sec = 1000, .burst = 2000}};  // Of one address.
    };

    explicit Admission(const Limits& limits) : limits_(limits) {}

    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    ~Admission() = default;

    /// Counts a connection, as a pending one, or says what keeps it out. One that was counted is to
    /// be settled, once, and then released.
    [[nodiscard]] std::optional<ConnectionLimit> admit(
        const boost::asio::ip::address& peer, TimePoint now);

    /// The connection has sent a whole request, or is about to end.
    void settle(const boost::asio::ip::address& peer);

    void release(const boost::asio::ip::address& peer);

    /// The bucket that the frames of all connections of an address take from; null for the
    /// loopback. Of an admitted connection, and good until that is released.
    [[nodiscard]] SharedTokenBucket* frames_of(const boost::asio::ip::address& peer);

    /// Counts a connection of a user who is known by now, or refuses it. One that was counted is to
    /// be released.
    [[nodiscard]] bool admit(const UserId& user);
    void release(const UserId& user);

    /// Counts a long-poll session, which outlives the connections that serve it, or refuses it: on
    /// the node and of one address there are at most as many as connections, beside those. The
    /// address has a connection now. One that was counted is to be released; until then `frames_of`
    /// its address stays good.
    [[nodiscard]] bool admit_session(const boost::asio::ip::address& peer);
    void release_session(const boost::asio::ip::address& peer);

    [[nodiscard]] std::size_t connection_count() const;

    /// Of them, those that have sent no whole request.
    [[nodiscard]] std::size_t pending_count() const;

    /// Another one would be refused for that.
    [[nodiscard]] bool pending_full() const;

    /// Addresses that are remembered.
    [[nodiscard]] std::size_t address_count() const;

private:
    struct Address;
    using Addresses = std::map<boost::asio::ip::address, Address>;
    using Idle = std::multimap<TimePoint, Addresses::iterator>;

    struct Address {
        explicit Address(const engine::TokenRate& frames_rate) : frames(frames_rate) {}

        std::size_t connections = 0;
        std::size_t pending = 0;
        std::size_t sessions = 0;
        engine::TokenBucket accepts;
        SharedTokenBucket frames;
        std::optional<Idle::iterator> idle;  // While it has neither connection nor session.
    };

    [[nodiscard]] Addresses::iterator recall(const boost::asio::ip::address& network);
    [[nodiscard]] std::optional<ConnectionLimit> limit_of(Address& address, TimePoint now) const;
    [[nodiscard]] std::optional<ConnectionLimit> limit_of_node() const;
    void rest(Addresses::iterator address);
    void forget(TimePoint now);

    Limits limits_;
    mutable std::mutex mutex_;
    std::size_t connections_ = 0;
    std::size_t pending_ = 0;
    std::size_t sessions_ = 0;
    Addresses by_address_;
    Idle idle_;  // By the time at which their buckets are full again.
    std::map<UserId, std::size_t> by_user_;
};

}  // namespace chatx::node
