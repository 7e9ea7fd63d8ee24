#include "engine/presence.h"

#include <chatx/assert.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace chatx::engine {

namespace {

/// 96 random bits in base64url (RFC 4648): 16 characters.
std::string make_ref(Entropy& entropy) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    constexpr int digits_per_draw = 8;  // 48 of 64 bits.
    std::string ref;
    for (int draw = 0; draw < 2; ++draw) {
        std::uint64_t bits = entropy.next();
        for (int digit = 0; digit < digits_per_draw; ++digit, bits >>= 6) {
            ref += alphabet[bits & 63];
        }
    }
    return ref;
}

std::int64_t seconds_of(WallTime wall) {
    return std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch()).count();
}

}  // namespace

Presence::Change Presence::track(
    const MemberKey& member,
    const UserId& user,
    std::string_view fields,
    WallTime wall,
    Entropy& entropy) {
    Change change;
    auto found = members_.find(member);
    if (found != members_.end() && found->second.user != user.text()) {
        untrack(found, change);
        found = members_.end();
    }
    PresenceMeta meta{{}, {}, seconds_of(wall), std::string(fields)};
    if (found != members_.end()) {
        const auto& metas = users_.at(user.text());
        const auto old = std::ranges::find(metas, found->second.ref, &PresenceMeta::ref);
        CHATX_ASSERT(old != metas.end());
        if (old->fields == fields) return change;
        meta.ref_previous = old->ref;
        meta.online_at_s = old->online_at_s;
        change.diff.leaves[user.text()].push_back(remove_meta(found->second));
    } else {
        found = members_.emplace(member, Member{user.text(), {}}).first;
        change.users_joined = users_.contains(user.text()) ? 0 : 1;
    }
    meta.ref = found->second.ref = make_ref(entropy);
    add_meta(user.text(), std::move(meta), change.diff);
    return change;
}

Presence::Change Presence::untrack(const MemberKey& member) {
    Change change;
    const auto found = members_.find(member);
    if (found != members_.end()) untrack(found, change);
    return change;
}

Presence::Change Presence::drop_edge(EdgeId edge) {
    Change change;
    auto member = members_.lower_bound(MemberKey{edge, 0});
    while (member != members_.end() && member->first.edge == edge) {
        member = untrack(member, change);
    }
    return change;
}

std::shared_ptr<const PresenceMap> Presence::state() const {
    if (!state_) state_ = std::make_shared<const PresenceMap>(users_);
    return state_;
}

PresenceMeta Presence::remove_meta(const Member& member) {
    state_ = nullptr;
    const auto user = users_.find(member.user);
    CHATX_ASSERT(user != users_.end());
    auto& metas = user->second;
    const auto found = std::ranges::find(metas, member.ref, &PresenceMeta::ref);
    CHATX_ASSERT(found != metas.end());
    PresenceMeta meta = std::move(*found);
    metas.erase(found);
    if (metas.empty()) users_.erase(user);
    return meta;
}

void Presence::add_meta(const std::string& user, PresenceMeta meta, PresenceDiff& diff) {
    state_ = nullptr;
    diff.joins[user].push_back(meta);
    users_[user].push_back(std::move(meta));
}

Presence::Members::iterator Presence::untrack(Members::iterator member, Change& change) {
    change.diff.leaves[member->second.user].push_back(remove_meta(member->second));
    if (!users_.contains(member->second.user)) ++change.users_left;
    return members_.erase(member);
}

}  // namespace chatx::engine
