#include "node/gateway/room_visitor.h"

#include "node/gateway/room_rows.h"
#include "tests/support/local_node.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

namespace chatx::node {
namespace {

using test::LocalNode;
using test::room_named;
using test::user_named;

const RoomId lobby = room_named("lobby");

/// The shard of a node, as a visitor sees it.
class Port final : public SessionPort {
public:
    explicit Port(LocalNode& node) : node_(node) {}

    void request(RoomCommand command) override { node_.core(0).request(std::move(command)); }

    void authorize(Authorize question) override {
        node_.core(0).authorize(std::move(question), node_.now());
    }

    Edge& edge() override { return node_.core(0).edge(); }

    [[nodiscard]] TimePoint now() const override { return node_.now(); }

    [[nodiscard]] bool draining() const override { return false; }

    void count(const engine::Event& /*event*/) override {}

    void count(FrameLimit /*limit*/) override {}

private:
    LocalNode& node_;
};

/// A visitor and what it heard.
struct Visit {
    explicit Visit(Port& port)
        : visitor(
            port,
            lobby,
            {.replied = [this](engine::Replied told) { reply = std::move(told); },
             .said = [this](const MessagePtr& message) { heard.push_back(message->content); }}) {}

    std::optional<engine::Replied> reply;
    std::vector<std::string> heard;
    RoomVisitor visitor;
};

engine::Send saying(std::string content) {
    return {
        .reply_to = {},
        .user = user_named("ops"),
        .content = std::move(content),
        .client_id = {},
        .answers = {}};
}

TEST_CASE("a visitor sends and is told the place of its message") {
    LocalNode node({});
    Port port(node);
    Visit visit(port);
    visit.visitor.send(saying("hello"));
    node.settle();
    REQUIRE(visit.reply);
    const auto& sent = std::get<Result<engine::SendReply>>(visit.reply->what);
    REQUIRE(sent);
    CHECK(sent->seq == Seq{1});
}

TEST_CASE("a visitor reads history and hears nothing") {
    LocalNode node({});
    Port port(node);
    Visit writer(port);
    writer.visitor.send(saying("hello"));
    node.settle();
    Visit reader(port);
    reader.visitor.read({.after_id = {}, .after = {}, .before = {}, .limit = 10});
    node.settle();
    const auto& page = std::get<Result<HistoryPage>>(reader.reply->what);
    REQUIRE(page);
    CHECK(page->messages.size() == 1);
    writer.visitor.send(saying("more"));
    node.settle();
    CHECK(reader.heard.empty());
}

TEST_CASE(
    "a listener gets the past in its answer, hears what follows once, and is seen by nobody") {
    LocalNode node({});
    Port port(node);
    Visit writer(port);
    writer.visitor.send(saying("past"));
    node.settle();
    Visit listener(port);
    listener.visitor.listen(user_named("chatxctl"), 10);
    node.settle();
    const auto& joined = std::get<Result<engine::JoinReply>>(listener.reply->what);
    REQUIRE(joined);
    CHECK(joined->messages.size() == 1);
    writer.visitor.send(saying("next"));
    node.settle();
    CHECK(listener.heard == std::vector<std::string>{"next"});
    const RoomRow row = row_of(*node.room(lobby));
    CHECK(row.live->users == 0);
    CHECK(row.live->listeners == 1);
}

TEST_CASE("a listener whose room is reset misses nothing and hears nothing twice") {
    LocalNode::Options options;
    options.store = true;
    LocalNode node(options);
    Port port(node);
    Visit writer(port);
    writer.visitor.send(saying("past"));
    node.settle();
    Visit listener(port);
    listener.visitor.listen(user_named("chatxctl"), 10);
    node.settle();
    node.tell(0, ResetRoom{lobby});
    writer.visitor.send(saying("meanwhile"));
    node.settle();
    const auto& joined = std::get<Result<engine::JoinReply>>(listener.reply->what);
    REQUIRE(joined);
    CHECK(joined->recovered);
    CHECK(joined->messages.size() + listener.heard.size() == 1);
    writer.visitor.send(saying("next"));
    node.settle();
    CHECK(listener.heard.back() == "next");
}

TEST_CASE("a visitor leaves with its end, and no connection is left behind") {
    LocalNode node({});
    Port port(node);
    {
        Visit listener(port);
        listener.visitor.listen(user_named("chatxctl"), 0);
        node.settle();
        REQUIRE(node.room(lobby)->subscriber_count() == 1);
    }
    node.settle();
    CHECK(node.room(lobby)->subscriber_count() == 0);
    CHECK(node.core(0).edge().connection_count() == 0);
}

TEST_CASE("a visitor may end before its answer comes") {
    LocalNode node({});
    Port port(node);
    {
        Visit listener(port);
        listener.visitor.listen(user_named("chatxctl"), 0);
    }
    node.settle();
    CHECK(node.room(lobby)->subscriber_count() == 0);
}

}  // namespace
}  // namespace chatx::node
