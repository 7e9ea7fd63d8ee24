#include "node/edge.h"

#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace chatx::node {

namespace {

struct Listener final : Subscriber {
    void on_reply(engine::Replied reply) override { replies.push_back(reply.to.request); }

    void on_authorized(const Authorized& answer) override { answers.push_back(answer.request); }

    void on_event(const EdgeEvent& event) override {
        frames.emplace_back(event.frame(proto::phoenix::Version::v2).message());
    }

    void on_room_reset(const RoomId& room) override { frames.push_back("reset " + room.text()); }

    std::vector<std::uint64_t> replies;
    std::vector<std::uint64_t> answers;
    std::vector<std::string> frames;
};

RoomEvent event_in(std::string_view room, std::string_view frame) {
    return {test::room_named(room), engine::PresenceDiff{}, Framed::text(frame)};
}

engine::Replied reply_to(std::uint64_t connection, std::uint64_t request) {
    return {{engine::EdgeId{3}, connection, request}, Result<engine::SendReply>(Reason::blocked)};
}

using Numbers = std::vector<std::uint64_t>;
using Frames = std::vector<std::string>;

}  // namespace

TEST_CASE("a reset reaches each connection that is attached, once, and detaches it") {
    Edge edge(engine::EdgeId{3});
    Listener ann;
    Listener bob;
    edge.attach(test::room_named("a"), ann);
    edge.attach(test::room_named("b"), bob);
    edge.handle(RoomReset{test::room_named("a")});
    edge.handle(RoomReset{test::room_named("a")});
    edge.handle(event_in("a", "1"));
    CHECK(ann.frames == Frames{"reset a"});
    CHECK(bob.frames.empty());
}

TEST_CASE("an event reaches each connection that is attached to its room, once") {
    Edge edge(engine::EdgeId{3});
    Listener ann;
    Listener bob;
    edge.attach(test::room_named("a"), ann);
    edge.attach(test::room_named("a"), bob);
    edge.attach(test::room_named("b"), bob);
    edge.handle(event_in("a", "1"));
    edge.handle(event_in("b", "2"));
    edge.handle(event_in("c", "3"));
    CHECK(ann.frames == Frames{"1"});
    CHECK(bob.frames == Frames{"1", "2"});

    edge.detach(test::room_named("a"), ann);
    edge.detach(test::room_named("a"), ann);
    edge.detach(test::room_named("c"), ann);
    edge.handle(event_in("a", "4"));
    CHECK(ann.frames == Frames{"1"});
    CHECK(bob.frames == Frames{"1", "2", "4"});
}

TEST_CASE("answers go to the connection that asked, and to nobody when it is gone") {
    Edge edge(engine::EdgeId{3});
    Listener ann;
    Listener bob;
    const std::uint64_t ann_id = edge.add(ann);
    const std::uint64_t bob_id = edge.add(bob);
    CHECK(ann_id != bob_id);
    edge.handle(reply_to(bob_id, 7));
    edge.handle(Authorized{ann_id, 8, Done{}});
    CHECK(edge.connection_count() == 2);
    edge.remove(bob_id);
    edge.handle(reply_to(bob_id, 9));
    edge.handle(Authorized{bob_id, 10, Done{}});
    CHECK(edge.connection_count() == 1);
    CHECK(ann.replies.empty());
    CHECK(ann.answers == Numbers{8});
    CHECK(bob.replies == Numbers{7});
    CHECK(bob.answers.empty());
}

TEST_CASE("no connection ever has the number of an earlier one") {
    Edge edge(engine::EdgeId{3});
    Listener ann;
    const std::uint64_t first = edge.add(ann);
    edge.remove(first);
    CHECK(edge.add(ann) != first);
}

}  // namespace chatx::node
