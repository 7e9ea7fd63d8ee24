#pragma once

#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/actions.h"
#include "engine/presence.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace chatx::engine {

/// Who hears a room: members that others see, and listeners. Keeps presence in step. Lives on one
/// loop.
class Audience {
public:
    struct Entry {
        MemberKey member;
        UserId user;
        bool visible = true;
        std::string_view meta;
    };

    /// Lets a member in, or changes what is known of one that is in. Says how presence changed.
    Presence::Change enter(const Entry& entry, WallTime wall, Entropy& entropy);

    /// Lets a member out. Nothing happens when it is not in.
    Presence::Change leave(const MemberKey& member);
    Presence::Change drop_edge(EdgeId edge);

    [[nodiscard]] bool contains(const MemberKey& member) const { return members_.contains(member); }

    /// Whether the member is in, seen by others, and this user.
    [[nodiscard]] bool shows(const MemberKey& member, const UserId& user) const;

    /// The edges that have members, in order.
    [[nodiscard]] std::vector<EdgeId> edges() const;

    [[nodiscard]] std::size_t size() const { return members_.size(); }

    [[nodiscard]] const Presence& presence() const { return presence_; }

private:
    struct Member {
        UserId user;
        bool visible;
    };

    std::map<MemberKey, Member> members_;
    Presence presence_;
};

}  // namespace chatx::engine
