#include "node/adapter_calls.h"

#include "proto/utf8.h"
#include "tests/support/messages.h"

#include <doctest/doctest.h>

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace chatx::node {

namespace {

using chatx::test::room_named;

UserId user_named(std::string_view text) {
    return UserId::parse(text).value();
}

Draft draft_of(std::string content) {
    return {room_named("a"), user_named("ann"), std::move(content), {}, {}};
}

/// Throws what the content says.
void misbehave(const std::string& content) {
    if (content == "throw") throw std::runtime_error("out of\norder");
    if (content == "throw much") throw std::runtime_error(std::string(10'000, 'x'));
    if (content == "throw seven") throw 7;  // NOLINT(hicpp-exception-baseclass): anything may come.
}

struct MoodyModeration final : Moderation {
    Verdict check(const Draft& draft) override {
        misbehave(draft.content);
        return Verdict::reject({Reason::blocked, {}, {}});
    }
};

struct MoodyAuth final : Auth {
    Result<Done> authorize(const UserId& user, const RoomId& /*room*/, AuthAction action) override {
        if (user == user_named("rude")) throw std::runtime_error("who?");
        if (user == user_named("odd"))
            return Error{static_cast<Reason>(250), std::string(1000, '\xff'), {}};
        if (action == AuthAction::send) return Reason::read_only;
        return Done{};
    }
};

struct Shout final : Middleware {
    [[nodiscard]] std::string_view name() const override { return "shout"; }

    Verdict handle(const Draft& draft) override {
        misbehave(draft.content);
        return Verdict::replace(draft.content + "!");
    }
};

/// All kinds of adapters behind one chain: auth, rate_limit, shout, moderation.
struct Fixture {
    [[nodiscard]] std::string lines() const { return out.str(); }

    /// The failure that it came to, which is logged.
    template <class Answer>
    AdapterFailure failure_of(const AdapterAnswer<Answer>& answer) {
        const auto* failure = std::get_if<AdapterFailure>(&answer);
        REQUIRE(failure != nullptr);
        log_failure(log, *failure);
        return *failure;
    }

    MoodyAuth auth;
    MoodyModeration moderation;
    Shout shout;
    Adapters adapters{&auth, &moderation, {&shout}};
    engine::Chain chain = std::get<engine::Chain>(engine::Chain::build(
        {.names = {"auth", "rate_limit", "shout", "moderation"}, .custom = {"shout"}}));
    std::ostringstream out;
    TimePoint now{};
    Logger log{{.lines_per_second = 2, .now = [this] { return now; }, .out = &out}};
    AdapterCalls calls{chain, adapters};
};

constexpr std::size_t auth_stage = 0;
constexpr std::size_t shout_stage = 2;
constexpr std::size_t moderation_stage = 3;

}  // namespace

TEST_CASE("each stage asks its adapter") {
    const Fixture test;
    CHECK(
        std::get<Verdict>(test.calls.check(auth_stage, draft_of("hi")))
        == Verdict::reject({Reason::read_only, {}, {}}));
    CHECK(
        std::get<Verdict>(test.calls.check(shout_stage, draft_of("hi")))
        == Verdict::replace("hi!"));
    CHECK(
        std::get<Verdict>(test.calls.check(moderation_stage, draft_of("hi")))
        == Verdict::reject({Reason::blocked, {}, {}}));
    CHECK(
        std::get<Result<Done>>(
            test.calls.authorize(user_named("ann"), room_named("a"), AuthAction::join))
        == Result<Done>(Done{}));
}

TEST_CASE("what an adapter throws leaves no answer and one line of the log") {
    Fixture test;
    test.failure_of(test.calls.check(moderation_stage, draft_of("throw")));
    CHECK(
        test.lines().ends_with(" error   an adapter failed adapter=moderation operation=check "
                               "error=\"out of\\norder\"\n"));
    test.failure_of(
        test.calls.authorize(user_named("rude"), room_named("a"), AuthAction::subscribe));
    CHECK(test.lines().ends_with(
        " error   an adapter failed adapter=auth operation=subscribe error=\"who?\"\n"));
}

TEST_CASE("something thrown that is no exception is contained too") {
    Fixture test;
    const auto failure = test.failure_of(test.calls.check(shout_stage, draft_of("throw seven")));
    CHECK(failure.adapter == "shout");
    CHECK(failure.operation == "handle");
    CHECK(failure.what == "what it threw says nothing of itself");
}

TEST_CASE("however much an adapter says, its line is short, and a flood of lines is cut off") {
    Fixture test;
    for (int i = 0; i < 5; ++i)
        test.failure_of(test.calls.check(shout_stage, draft_of("throw much")));
    CHECK(test.lines().size() < 2 * (log_value_size_max + 150));
    test.now += std::chrono::seconds(1);
    test.log.report_suppressed();
    CHECK(test.lines().ends_with(" lines suppressed text=\"an adapter failed\" lines=3\n"));
}

TEST_CASE("a refusal that no client would understand is made fit for clients") {
    const Fixture test;
    const auto answer = std::get<Result<Done>>(
        test.calls.authorize(user_named("odd"), room_named("a"), AuthAction::join));
    CHECK(answer.error().reason == Reason::adapter_error);
    CHECK(answer.error().detail.empty());
}

TEST_CASE("a stage whose middleware is gone has no answer") {
    Fixture test;
    const Adapters fewer{&test.auth, &test.moderation, {}};
    const AdapterCalls calls(test.chain, fewer);
    CHECK(
        test.failure_of(calls.check(shout_stage, draft_of("hi"))).what
        == "the program has no adapter of this name");
}

}  // namespace chatx::node
