#include "node/core.h"

#include "proto/json.h"
#include "tests/support/local_node.h"
#include "tests/support/messages.h"
#include "tests/support/rates.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::test {

namespace {

using namespace std::chrono_literals;

/// A client that is in and out of one room and checks what it hears: a dense stretch behind each
/// join, no message twice.
class Reader {
public:
    Reader(LocalClient& client, std::string room) : client_(client), room_(std::move(room)) {}

    void join() {
        const std::string since = last_ == 0 ? "{}"
                                             : R"({"since":{"epoch":")" + epoch_ + R"(","seq":)"
                                                   + std::to_string(last_) + "}}";
        say("phx_join", since);
        joined_ = true;
    }

    void leave() {
        if (joined_) say("phx_leave", "{}");
        joined_ = false;
    }

    void send() {
        if (joined_) say("new_message", R"({"content":"hi"})");
    }

    /// Whether all that was heard is as promised; false for ever after the first breach.
    bool hear() {
        for (const std::string& frame : client_.hear()) {
            const auto parsed = parser_.parse(frame);
            const auto& fields = *std::get<proto::json::Value>(parsed).as_array();
            const std::string& event = *fields[3].as_string();
            if (event == "phx_reply") on_reply(fields[1], fields[4]);
            if (event == "phx_close") listening_ = false;
            if (event == "new_message" && listening_) on_message(fields[4]);
        }
        return right_;
    }

    [[nodiscard]] std::uint64_t last() const { return last_; }

    [[nodiscard]] bool joined() const { return joined_; }

    [[nodiscard]] const std::string& room() const { return room_; }

private:
    void say(std::string_view event, std::string_view payload) {
        const std::string ref = std::to_string(++ref_);
        if (event == "phx_join") {
            join_ref_ = ref;
            joins_[ref] = last_;
        }
        client_.say(
            "[\"" + join_ref_ + "\",\"" + ref + "\",\"room:" + room_ + "\",\"" + std::string(event)
            + "\"," + std::string(payload) + "]");
    }

    void on_reply(const proto::json::Value& ref, const proto::json::Value& payload) {
        const auto join = joins_.find(*ref.as_string());
        if (join == joins_.end()) return;
        const auto& response = *payload.find("response");
        const auto& messages = *response.find("messages")->as_array();
        if (join->second > 0) {
            right_ = right_ && *response.find("recovered")->as_bool();
            last_ = join->second;
        } else {
            last_ = *response.find("seq")->as_uint64() - messages.size();
        }
        for (const auto& message : messages)
            on_message(message);
        right_ = right_ && last_ == *response.find("seq")->as_uint64();
        epoch_ = *response.find("epoch")->as_string();
        listening_ = true;
    }

    void on_message(const proto::json::Value& message) {
        right_ = right_ && *message.find("seq")->as_uint64() == ++last_;
    }

    LocalClient& client_;
    std::string room_;
    proto::json::Parser parser_;
    int ref_ = 0;
    std::string join_ref_;
    std::map<std::string, std::uint64_t> joins_;  // Ref to the place it named; 0 for none.
    std::string epoch_;
    std::uint64_t last_ = 0;  // The place of the last message heard.
    bool joined_ = false;
    bool listening_ = false;
    bool right_ = true;
};

/// Readers on all shards at once, in an order that the seed decides.
struct Crowd {
    Crowd(std::uint16_t shards, bool logged, std::uint64_t seed) {
        LocalNode::Options options;
        options.shards = shards;
        options.store = true;
        options.shuffle = true;
        options.seed = seed;
        options.rooms.commit = logged ? node::CommitRule::logged : node::CommitRule::at_once;
        options.rooms.room.history.messages_max = 4;
        options.rooms.room.rate_limit.messages_per_sec = 0;
        options.session.rates = no_limits();
        node.emplace(std::move(options));
        for (int i = 0; i < 6; ++i) {
            const auto shard = static_cast<std::uint16_t>(i % shards);
            readers.emplace_back(
                node->connect("user" + std::to_string(i), shard), i < 4 ? "a" : "b");
        }
    }

    void act(int choice) {
        Reader& reader = readers.at(static_cast<std::size_t>(choice) % readers.size());
        switch (choice / 6 % 8) {
            case 0:
                return reader.joined() ? reader.leave() : reader.join();
            case 1:
                return reader.joined() ? reader.send() : reader.join();
            case 2:
                return reader.send();
            case 3:
                return node->advance(std::chrono::milliseconds(60));
            default:
                for (int i = 0; i < choice / 48; ++i)
                    (void)node->step();
        }
    }

    std::optional<LocalNode> node;
    std::deque<Reader> readers;
};

/// Plays the choices, then lets everybody come back and everything settle. Whether all readers
/// heard what they should.
bool all_hear_a_dense_stretch(Crowd& crowd, const std::vector<int>& choices) {
    for (const int choice : choices) {
        crowd.act(choice);
        for (Reader& reader : crowd.readers) {
            if (!reader.hear()) return false;
        }
    }
    for (Reader& reader : crowd.readers) {
        if (!reader.joined()) reader.join();
    }
    crowd.node->settle();
    return std::all_of(crowd.readers.begin(), crowd.readers.end(), [&](Reader& reader) {
        const engine::Room* room = crowd.node->room(room_named(reader.room()));
        return reader.hear() && reader.last() == room->head().value;
    });
}

}  // namespace

TEST_CASE("a question to the auth adapter without an answer is over after its second") {
    LocalNode::Options options;
    options.checks.auth = true;
    LocalNode node(options);
    node.hold<node::Authorize>();
    LocalClient& client = node.connect("ann");
    node.advance(20ms);
    client.say(R"(["1","1","room:a","phx_join",{}])");
    node.advance(950ms);
    CHECK(client.hear().empty());
    node.advance(50ms);
    CHECK(client.hear().size() == 1);
    CHECK(node.counted(engine::Metric::adapter_timeout) == 1);
    node.release<node::Authorize>();
    node.advance(2s);
    CHECK(client.hear().empty());
    CHECK(node.counted(engine::Metric::adapter_timeout) == 1);
}

TEST_CASE("a core is idle until something is handed to it, and behind each run again") {
    LocalNode node({.rooms = {}, .session = {}, .outbox = {}});
    node::Core& core = node.core(0);
    CHECK(core.idle());
    LocalClient& client = node.connect("ann");
    client.say(R"([null,"1","phoenix","heartbeat",{}])");
    CHECK(core.idle());
    client.say(R"(["1","2","room:a","phx_join",{}])");
    CHECK_FALSE(core.idle());
    node.settle();
    CHECK(core.idle());
    client.hang_up();
    CHECK_FALSE(core.idle());
}

TEST_CASE("every reader hears a dense stretch, whatever the order in which shards work") {
    CHECK(rc::check([] {
        const auto shards = *rc::gen::inRange<std::uint16_t>(1, 4);
        const bool logged = *rc::gen::arbitrary<bool>();
        const auto seed = *rc::gen::arbitrary<std::uint64_t>();
        const auto choices = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6 * 8 * 8));
        Crowd crowd(shards, logged, seed);
        RC_ASSERT(all_hear_a_dense_stretch(crowd, choices));
    }));
}

TEST_CASE("the shard of a room is one of the node's, the same every time, and rooms are spread") {
    std::map<std::uint16_t, int> rooms_of;
    for (int i = 0; i < 1000; ++i) {
        const RoomId room = room_named("room-" + std::to_string(i));
        const std::uint16_t shard = node::shard_of(room, 4);
        CHECK(shard < 4);
        CHECK(shard == node::shard_of(room, 4));
        ++rooms_of[shard];
    }
    for (std::uint16_t shard = 0; shard < 4; ++shard)
        CHECK(rooms_of[shard] > 150);
    CHECK(node::shard_of(room_named("any"), 1) == 0);
}

TEST_CASE("posts of a shard to itself are worked off in the same run, in order; others come out") {
    LocalNode one({.rooms = {}, .session = {}, .outbox = {}});
    LocalClient& client = one.connect("ann");
    client.say(R"(["1","1","room:a","phx_join",{}])");
    client.say(R"(["1","2","room:a","new_message",{"content":"hi"}])");
    auto& actions = one.core(0).run(one.now(), one.wall());
    for (const node::ShardAction& action : actions)
        CHECK_FALSE(std::holds_alternative<node::Post>(action));
    CHECK(client.hear().size() == 4);
    actions.clear();
}

}  // namespace chatx::test
