#include "node/core.h"

#include "placement/slots.h"

#include <type_traits>
#include <utility>

namespace chatx::node {

namespace {

template <class What>
constexpr bool for_edge =
    std::is_same_v<
        What,
        engine::Replied> || std::is_same_v<What, Authorized> || std::is_same_v<What, RoomReset>;

}  // namespace

std::uint16_t shard_of(const RoomId& room, std::uint16_t shards) {
    return static_cast<std::uint16_t>(placement::slot_of(room).value % shards);
}

Core::Core(RoomHost::Place place, RoomHostOptions options, engine::Chain chain, Entropy& entropy)
    : place_(place),
      entropy_(entropy),
      rooms_(place, options, std::move(chain), entropy),
      edge_(engine::EdgeId{place.shard}) {}

void Core::request(RoomCommand command) {
    const std::uint16_t owner = shard_of(command.room, place_.shards);
    if (owner == place_.shard) {
        inbox_.emplace_back(std::move(command));
    } else {
        actions_.emplace_back(Post{owner, std::move(command)});
    }
}

void Core::authorize(Authorize question, TimePoint now) {
    asked_.push_back({now + authorize_deadline, question.connection, question.request});
    actions_.emplace_back(std::move(question));
}

std::vector<ShardAction>& Core::run(TimePoint now, WallTime wall) {
    ShardStep step{now, wall, entropy_, actions_};
    while (!inbox_.empty()) {
        ShardMessage message = std::move(inbox_.front());
        inbox_.pop_front();
        dispatch(std::move(message), step);
        keep_own_posts();
    }
    sorted_ = 0;
    return actions_;
}

std::vector<ShardAction>& Core::tick(TimePoint now, WallTime wall) {
    ShardStep step{now, wall, entropy_, actions_};
    rooms_.tick(step);
    keep_own_posts();
    expire_questions(now);
    return run(now, wall);
}

bool Core::drain(TimePoint now, WallTime wall) {
    ShardStep step{now, wall, entropy_, actions_};
    return rooms_.drain(step);
}

void Core::expire_questions(TimePoint now) {
    while (!asked_.empty() && asked_.front().answer_by <= now) {
        const Asked& late = asked_.front();
        inbox_.emplace_back(Authorized{
            late.connection,
            late.request,
            Error{Reason::timeout, "the auth adapter did not answer in time", std::nullopt}});
        asked_.pop_front();
    }
}

void Core::dispatch(ShardMessage message, ShardStep& step) {
    std::visit(
        [&](auto&& what) {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, RoomEventPtr>) {
                edge_.handle(*what);
            } else if constexpr (for_edge<What>) {
                edge_.handle(std::forward<decltype(what)>(what));
            } else {
                rooms_.handle(std::forward<decltype(what)>(what), step);
            }
        },
        std::move(message));
}

// A post to this very shard is an input: what stays in `actions_` is for others.
void Core::keep_own_posts() {
    std::size_t kept = sorted_;
    for (std::size_t i = sorted_; i < actions_.size(); ++i) {
        auto* post = std::get_if<Post>(&actions_[i]);
        if (post != nullptr && post->shard == place_.shard) {
            inbox_.push_back(std::move(post->message));
        } else {
            if (kept != i) actions_[kept] = std::move(actions_[i]);
            ++kept;
        }
    }
    actions_.erase(actions_.begin() + static_cast<std::ptrdiff_t>(kept), actions_.end());
    sorted_ = kept;
}

}  // namespace chatx::node
