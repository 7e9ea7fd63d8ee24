#include "engine/room.h"
#include "tests/engine/room_fixture.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <variant>
#include <vector>

namespace chatx::engine {

namespace {

/// A room with a small ring, a slow archive that lags behind, and readers who come, go and resume.
class Readers {
public:
    Readers() {
        fixture_.options.archive = true;
        fixture_.options.history.messages_max = 4;
        fixture_.open();
    }

    void step(std::size_t choice) {
        const std::uint64_t connection = choice / 8 % 3;
        switch (choice % 8) {
            case 0:
            case 1:
                say(choice / 8 % 4);
                break;
            case 2:
                send_or_commit(choice / 8);
                break;
            case 3:
                join(connection, choice / 24);
                break;
            case 4:
                leave(connection);
                break;
            case 5:
                archive(choice / 8);
                break;
            case 6:
                answer_load(choice / 8);
                break;
            default:
                fail_commit(choice / 8);
                break;
        }
    }

    void finish() {
        while (!fixture_.uncommitted().empty())
            commit();
        while (!loads_.empty())
            answer_load(0);
        for (const auto& [connection, reader] : readers_) {
            if (reader.attached) RC_ASSERT(reader.last == fixture_.room().head().value);
        }
    }

private:
    struct Reader {
        bool attached = false;
        std::uint64_t request = 0;  // Of the join that waits.
        std::uint64_t last = 0;     // The last place read.
        MessageId last_id;
        Epoch epoch = first_reign;
        bool fresh = true;  // Has read nothing: names no point.
    };

    void say(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            note(fixture_.send(++request_));
            commit();
        }
    }

    void send_or_commit(std::size_t choice) {
        if (choice % 2 == 0) {
            note(fixture_.send(++request_));
        } else {
            commit();
        }
    }

    void commit() {
        if (fixture_.uncommitted().empty()) return;
        said_.push_back(fixture_.uncommitted().front());
        note(fixture_.commit());
    }

    void join(std::uint64_t connection, std::size_t way) {
        Reader& reader = readers_[connection];
        reader.attached = false;
        reader.request = ++request_;
        Resume resume;
        resume.history = 3;
        if (!reader.fresh && way % 2 == 0) resume.last_seen_id = reader.last_id;
        if (!reader.fresh && way % 2 == 1) resume.since = {reader.epoch, Seq{reader.last}};
        note(fixture_.join(reader.request, member(connection), "ann", resume));
    }

    void leave(std::uint64_t connection) {
        readers_[connection].attached = false;
        note(fixture_.leave(member(connection)));
    }

    void archive(std::size_t share) {
        archived_ = std::min(said_.size(), archived_ + share % 8);
        fixture_.room().on_archived(Seq{archived_});
    }

    void answer_load(std::size_t pick) {
        if (loads_.empty()) return;
        const auto load = loads_.begin() + static_cast<std::ptrdiff_t>(pick % loads_.size());
        const LoadHistory asked = *load;
        loads_.erase(load);
        note(fixture_.loaded(asked.ticket, page_of(stored(), asked.range)));
    }

    void fail_commit(std::size_t choice) {
        if (choice % 4 != 0) return;
        fixture_.uncommitted().clear();
        const Epoch epoch{1, ++reign_, 0};
        note(fixture_.run([&](Room& room, Step& step) { room.fail_uncommitted(epoch, step); }));
    }

    [[nodiscard]] std::vector<MessagePtr> stored() const {
        return {said_.begin(), said_.begin() + static_cast<std::ptrdiff_t>(archived_)};
    }

    void read(Reader& reader, const MessagePtr& message) {
        RC_ASSERT(message->seq.value == reader.last + 1);
        reader.last = message->seq.value;
        reader.last_id = message->id;
        reader.epoch = message->epoch;
        reader.fresh = false;
    }

    void note(const Outcome& outcome) {
        for (const auto& load : outcome.all<LoadHistory>())
            loads_.push_back(load);
        for (const auto& action : outcome.actions) {
            if (const auto* broadcast = std::get_if<Broadcast>(&action)) hear(*broadcast);
            if (const auto* replied = std::get_if<Replied>(&action)) attach(*replied);
        }
    }

    void hear(const Broadcast& broadcast) {
        const auto* message = std::get_if<MessagePtr>(&broadcast.event);
        if (message == nullptr) return;
        for (auto& [connection, reader] : readers_) {
            if (reader.attached) read(reader, *message);
        }
    }

    void attach(const Replied& replied) {
        const auto* result = std::get_if<Result<JoinReply>>(&replied.what);
        if (result == nullptr || !*result) return;
        Reader& reader = readers_[replied.to.connection];
        if (reader.request != replied.to.request) return;
        const JoinReply& reply = result->value();
        if (!reply.recovered) {
            reader.last = reply.seq.value - reply.messages.size();
        }
        for (const auto& message : reply.messages)
            read(reader, message);
        RC_ASSERT(reply.recovered || !reply.more);
        // The rest of a long catch-up: here whatever was said, from wherever it is.
        while (reply.more && reader.last < reply.seq.value)
            read(reader, said_.at(reader.last));
        RC_ASSERT(reader.last == reply.seq.value);
        reader.epoch = reply.epoch;
        reader.attached = true;
    }

    RoomFixture fixture_;
    std::vector<MessagePtr> said_;  // Applied, by place.
    std::size_t archived_ = 0;
    std::uint64_t request_ = 0;
    std::uint64_t reign_ = 1;
    std::map<std::uint64_t, Reader> readers_;
    std::vector<LoadHistory> loads_;
};

}  // namespace

TEST_CASE(
    "every subscriber sees a dense stretch of one order, wherever it resumes and whatever is "
    "slow") {
    CHECK(rc::check([] {
        const auto choices = *rc::gen::resize(
            200,
            rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 4096)));
        Readers readers;
        for (const std::size_t choice : choices)
            readers.step(choice);
        readers.finish();
    }));
}

}  // namespace chatx::engine
