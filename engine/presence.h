#pragma once

#include <chatx/entropy.h>
#include <chatx/ids.h>
#include <chatx/time.h>

#include "engine/actions.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace chatx::engine {

/// Who is visibly in a room: each member's meta under its user's key, as the Presence of Phoenix
/// Channels shows it.
///
/// Every change comes back as the difference it makes; the sum of all differences is the state. As
/// many metas as its owner tracks: the room bounds its members. Lives on one loop; a state that was
/// handed out may be read anywhere.
class Presence {
public:
    struct Change {
        PresenceDiff diff;
        std::size_t users_joined = 0;  // Users who were not there with another connection.
        std::size_t users_left = 0;    // Users whose last connection this was.
    };

    /// Shows a member. Again with the same user and fields: no change. With other fields: a new
    /// version of the meta, which takes the end of the user's list. With another user: the old one
    /// leaves, the new one comes.
    Change track(
        const MemberKey& member,
        const UserId& user,
        std::string_view fields,
        WallTime wall,
        Entropy& entropy);

    /// Hides a member. Nothing happens when it is not shown.
    Change untrack(const MemberKey& member);

    /// Hides all members of an edge, in order of connection.
    Change drop_edge(EdgeId edge);

    /// Everybody. The same object until something changes; a copy is made when it is asked for
    /// after a change.
    [[nodiscard]] std::shared_ptr<const PresenceMap> state() const;

    [[nodiscard]] std::size_t member_count() const { return members_.size(); }

    [[nodiscard]] std::size_t user_count() const { return users_.size(); }

private:
    struct Member {
        std::string user;
        std::string ref;
    };

    using Members = std::map<MemberKey, Member>;

    PresenceMeta remove_meta(const Member& member);
    void add_meta(const std::string& user, PresenceMeta meta, PresenceDiff& diff);
    Members::iterator untrack(Members::iterator member, Change& change);

    Members members_;
    PresenceMap users_;
    mutable std::shared_ptr<const PresenceMap> state_;  // Null after a change.
};

}  // namespace chatx::engine
