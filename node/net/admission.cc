#include "node/net/admission.h"

#include <chatx/assert.h>

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

asio::ip::address unmapped(const asio::ip::address& peer) {
    if (peer.is_v6() && peer.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, peer.to_v6());
    return peer;
}

/// What counts as the peer's address; nothing for the loopback, which does not count.
std::optional<asio::ip::address> network_of(const asio::ip::address& peer) {
    const asio::ip::address address = unmapped(peer);
    if (address.is_loopback()) return std::nullopt;
    if (address.is_v4()) return address;
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + bytes.size() / 2, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes);
}

}  // namespace

std::optional<ConnectionLimit> Admission::admit(const asio::ip::address& peer, TimePoint now) {
    const auto network = network_of(peer);
    const std::lock_guard lock(mutex_);
    forget(now);
    if (network) {
        const auto address = recall(*network);
        auto limit = limit_of(address->second, now);
        if (!limit) limit = limit_of_node();
        if (limit) {
            rest(address);
            return limit;
        }
        ++address->second.connections;
        ++address->second.pending;
    } else if (const auto limit = limit_of_node()) {
        return limit;
    }
    ++connections_;
    ++pending_;
    return std::nullopt;
}

void Admission::settle(const asio::ip::address& peer) {
    const auto network = network_of(peer);
    const std::lock_guard lock(mutex_);
    CHATX_ASSERT(pending_ > 0);
    --pending_;
    if (network) --by_address_.at(*network).pending;
}

void Admission::release(const asio::ip::address& peer) {
    const auto network = network_of(peer);
    const std::lock_guard lock(mutex_);
    CHATX_ASSERT(connections_ > 0);
    --connections_;
    if (!network) return;
    const auto address = by_address_.find(*network);
    CHATX_ASSERT(address != by_address_.end() && address->second.connections > 0);
    --address->second.connections;
    rest(address);
}

SharedTokenBucket* Admission::frames_of(const asio::ip::address& peer) {
    const auto network = network_of(peer);
    if (!network) return nullptr;
    const std::lock_guard lock(mutex_);
    const auto address = by_address_.find(*network);
    CHATX_ASSERT(address != by_address_.end() && address->second.connections > 0);
    return &address->second.frames;
}

bool Admission::admit(const UserId& user) {
    const std::lock_guard lock(mutex_);
    std::size_t& count = by_user_.try_emplace(user, 0).first->second;
    if (count >= limits_.connections_per_user_max) return false;
    ++count;
    return true;
}

void Admission::release(const UserId& user) {
    const std::lock_guard lock(mutex_);
    const auto count = by_user_.find(user);
    CHATX_ASSERT(count != by_user_.end());
    if (--count->second == 0) by_user_.erase(count);
}

bool Admission::admit_session(const asio::ip::address& peer) {
    const auto network = network_of(peer);
    const std::lock_guard lock(mutex_);
    if (sessions_ >= limits_.connections_max) return false;
    if (network) {
        Address& address = by_address_.at(*network);
        if (address.sessions >= limits_.connections_per_address_max) return false;
        ++address.sessions;
    }
    ++sessions_;
    return true;
}

void Admission::release_session(const asio::ip::address& peer) {
    const auto network = network_of(peer);
    const std::lock_guard lock(mutex_);
    CHATX_ASSERT(sessions_ > 0);
    --sessions_;
    if (!network) return;
    const auto address = by_address_.find(*network);
    CHATX_ASSERT(address != by_address_.end() && address->second.sessions > 0);
    --address->second.sessions;
    rest(address);
}

std::size_t Admission::connection_count() const {
    const std::lock_guard lock(mutex_);
    return connections_;
}

std::size_t Admission::pending_count() const {
    const std::lock_guard lock(mutex_);
    return pending_;
}

bool Admission::pending_full() const {
    const std::lock_guard lock(mutex_);
    return pending_ >= limits_.pending_max;
}

std::size_t Admission::address_count() const {
    const std::lock_guard lock(mutex_);
    return by_address_.size();
}

Admission::Addresses::iterator Admission::recall(const asio::ip::address& network) {
    const auto address = by_address_.try_emplace(network, limits_.frames).first;
    if (address->second.idle) {
        idle_.erase(*address->second.idle);
        address->second.idle.reset();
    }
    return address;
}

std::optional<ConnectionLimit> Admission::limit_of(Address& address, TimePoint now) const {
    if (address.accepts.take(limits_.accepts, now)) return ConnectionLimit::accepts_per_sec_per_ip;
    if (address.connections >= limits_.connections_per_address_max)
        return ConnectionLimit::connections_per_ip;
    if (address.pending >= limits_.pending_per_address_max)
        return ConnectionLimit::pending_connections_per_ip;
    return std::nullopt;
}

std::optional<ConnectionLimit> Admission::limit_of_node() const {
    if (connections_ >= limits_.connections_max) return ConnectionLimit::connections;
    if (pending_ >= limits_.pending_max) return ConnectionLimit::pending_connections;
    return std::nullopt;
}

// An address that nothing is counted for may be forgotten in time.
void Admission::rest(Addresses::iterator address) {
    if (address->second.connections > 0 || address->second.sessions > 0) return;
    const TimePoint full_at =
        std::max(address->second.accepts.full_at(), address->second.frames.full_at());
    address->second.idle = idle_.emplace(full_at, address);
    while (idle_.size() > limits_.idle_addresses_max) {
        by_address_.erase(idle_.begin()->second);
        idle_.erase(idle_.begin());
    }
}

void Admission::forget(TimePoint now) {
    while (!idle_.empty() && idle_.begin()->first <= now) {
        by_address_.erase(idle_.begin()->second);
        idle_.erase(idle_.begin());
    }
}

}  // namespace chatx::node
