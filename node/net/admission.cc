#include "node/net/admission.h"

#include <chatx/assert.h>

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include <limits>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

asio::ip::address unmapped(const asio::ip::address& peer) {
    if (peer.is_v6() && peer.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6());
    return peer;
}

asio::ip::address network_of(const asio::ip::address& peer) {
    if (peer.is_v4()) return peer;
    auto bytes = peer.to_v6().to_bytes();
    for (std::size_t i = bytes.size() / 2; i < bytes.size(); ++i)
        bytes[i] = 0;
    return asio::ip::address_v6(bytes);
}

template <class Counts, class Key>
bool count_up(Counts& counts, const Key& key, std::size_t max) {
    std::size_t& count = counts.try_emplace(key, 0).first->second;
    if (count >= max) return false;
    ++count;
    return true;
}

template <class Counts, class Key>
void count_down(Counts& counts, const Key& key) {
    const auto count = counts.find(key);
    CHATX_ASSERT(count != counts.end());
    if (--count->second == 0) counts.erase(count);
}

}  // namespace

bool Admission::admit(const asio::ip::address& peer) {
    const asio::ip::address address = unmapped(peer);
    const std::size_t max = address.is_loopback() ? no_limit : limits_.connections_per_address_max;
    const std::lock_guard lock(mutex_);
    if (connections_ >= limits_.connections_max) return false;
    if (!count_up(by_address_, network_of(address), max)) return false;
    ++connections_;
    return true;
}

void Admission::release(const asio::ip::address& peer) {
    const std::lock_guard lock(mutex_);
    count_down(by_address_, network_of(unmapped(peer)));
    --connections_;
}

bool Admission::admit(const UserId& user) {
    const std::lock_guard lock(mutex_);
    return count_up(by_user_, user, limits_.connections_per_user_max);
}

void Admission::release(const UserId& user) {
    const std::lock_guard lock(mutex_);
    count_down(by_user_, user);
}

std::size_t Admission::connection_count() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

}  // namespace chatx::node
