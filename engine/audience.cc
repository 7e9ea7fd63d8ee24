#include "engine/audience.h"

namespace chatx::engine {

Presence::Change Audience::enter(const Entry& entry, WallTime wall, Entropy& entropy) {
    members_.insert_or_assign(entry.member, Member{entry.user, entry.visible});
    if (!entry.visible) return presence_.untrack(entry.member);
    return presence_.track(entry.member, entry.user, entry.meta, wall, entropy);
}

Presence::Change Audience::leave(const MemberKey& member) {
    members_.erase(member);
    return presence_.untrack(member);
}

Presence::Change Audience::drop_edge(EdgeId edge) {
    std::erase_if(members_, [&](const auto& member) { return member.first.edge == edge; });
    return presence_.drop_edge(edge);
}

bool Audience::shows(const MemberKey& member, const UserId& user) const {
    const auto found = members_.find(member);
    return found != members_.end() && found->second.visible && found->second.user == user;
}

std::vector<EdgeId> Audience::edges() const {
    std::vector<EdgeId> edges;
    auto member = members_.begin();
    while (member != members_.end()) {
        const EdgeId edge = member->first.edge;
        edges.push_back(edge);
        constexpr auto connection_last = ~std::uint64_t{0};
        member = members_.upper_bound(MemberKey{edge, connection_last});
    }
    return edges;
}

}  // namespace chatx::engine
