#pragma once

#include <chatx/ids.h>

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <map>
#include <mutex>

namespace chatx::node {

/// Counts the connections of the node, by address and by user, and says no beyond a limit. What
/// counts as one address is an IPv4 address or the /64 that an IPv6 host may choose from; the
/// loopback has no limit of its own. Any thread.
class Admission {
public:
    struct Limits {
        std::size_t connections_max = 100'000;
        std::size_t connections_per_address_max = 256;
        std::size_t connections_per_user_max = 16;
    };

    explicit Admission(Limits limits) : limits_(limits) {}

    /// Counts a connection, or refuses it. One that was counted is to be released.
    [[nodiscard]] bool admit(const boost::asio::ip::address& peer);
    void release(const boost::asio::ip::address& peer);

    /// The same for a user who is known by now.
    [[nodiscard]] bool admit(const UserId& user);
    void release(const UserId& user);

    [[nodiscard]] std::size_t connection_count() const;

private:
    template <class Key>
    using Counts = std::map<Key, std::size_t>;

    Limits limits_;
    mutable std::mutex mutex_;
    std::size_t connections_ = 0;
    Counts<boost::asio::ip::address> by_address_;
    Counts<UserId> by_user_;
};

}  // namespace chatx::node
