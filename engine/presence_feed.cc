#include "engine/presence_feed.h"

#include <algorithm>
#include <string>
#include <utility>

namespace chatx::engine {

namespace {

/// Takes a meta out of a map; false when it is not there.
bool take(PresenceMap& map, const std::string& user, const std::string& ref) {
    const auto found = map.find(user);
    if (found == map.end()) return false;
    const auto removed =
        std::erase_if(found->second, [&](const PresenceMeta& meta) { return meta.ref == ref; });
    if (found->second.empty()) map.erase(found);
    return removed > 0;
}

std::shared_ptr<const PresenceMap> nobody() {
    return std::make_shared<const PresenceMap>();
}

}  // namespace

std::vector<PresenceFeed::News> PresenceFeed::changed(
    const Presence& presence, PresenceDiff diff, TimePoint now) {
    if (diff.empty()) return {};
    const Mode mode = mode_for(presence.member_count());
    if (mode != mode_) return switch_to(mode, presence, std::move(diff));
    std::vector<News> news;
    switch (mode_) {
        case Mode::each:
            news.emplace_back(std::move(diff));
            break;
        case Mode::batch:
            gather(std::move(diff));
            if (!due_) due_ = now + options_.batch_interval;
            break;
        case Mode::count:
            if (!due_) due_ = now + options_.count_interval;
            break;
    }
    return news;
}

std::vector<PresenceFeed::News> PresenceFeed::tick(const Presence& presence, TimePoint now) {
    if (!due_ || *due_ > now) return {};
    due_.reset();
    std::vector<News> news;
    if (mode_ == Mode::count) {
        news.emplace_back(Occupancy{presence.member_count()});
    } else {
        told_ = presence.state();
        PresenceDiff diff = std::exchange(gathered_, {});
        if (!diff.empty()) news.emplace_back(std::move(diff));
    }
    return news;
}

std::shared_ptr<const PresenceMap> PresenceFeed::snapshot(const Presence& presence) const {
    switch (mode_) {
        case Mode::batch:
            return told_;
        case Mode::count:
            return nobody();
        case Mode::each:
            break;
    }
    return presence.state();
}

// On the way down a room keeps its mode for a while, so that one member who comes and goes does not
// switch it each time.
PresenceFeed::Mode PresenceFeed::mode_for(std::size_t members) const {
    if (members >= options_.count_from) return Mode::count;
    if (mode_ == Mode::count && members > options_.batch_from / 2) return Mode::count;
    if (members >= options_.batch_from) return Mode::batch;
    if (mode_ == Mode::batch && members > options_.batch_from / 2) return Mode::batch;
    return Mode::each;
}

std::vector<PresenceFeed::News> PresenceFeed::switch_to(
    Mode mode, const Presence& presence, PresenceDiff diff) {
    const Mode old = std::exchange(mode_, mode);
    gather(std::move(diff));
    PresenceDiff untold = std::exchange(gathered_, {});
    due_.reset();
    told_ = mode == Mode::batch ? presence.state() : nullptr;

    std::vector<News> news;
    if (mode == Mode::count) {
        news.emplace_back(PresenceState{nobody()});
        news.emplace_back(Occupancy{presence.member_count()});
    } else if (old == Mode::count) {
        news.emplace_back(PresenceState{presence.state()});
    } else if (!untold.empty()) {
        news.emplace_back(std::move(untold));
    }
    return news;
}

// Who came and went unseen is nobody's business.
void PresenceFeed::gather(PresenceDiff diff) {
    for (auto& [user, metas] : diff.leaves) {
        for (PresenceMeta& meta : metas) {
            if (!take(gathered_.joins, user, meta.ref))
                gathered_.leaves[user].push_back(std::move(meta));
        }
    }
    for (auto& [user, metas] : diff.joins) {
        auto& joins = gathered_.joins[user];
        joins.insert(
            joins.end(),
            std::make_move_iterator(metas.begin()),
            std::make_move_iterator(metas.end()));
    }
}

}  // namespace chatx::engine
