#include "node/net/shard.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr auto tick_interval = std::chrono::milliseconds(50);
constexpr auto gateway_tick_interval = std::chrono::seconds(1);

/// What an adapter answers, or nothing when it throws.
template <class Call>
auto contained(Call&& call) -> std::optional<decltype(call())> {
    try {
        return call();
    } catch (...) {
        return std::nullopt;  // An adapter's failure has a rule of its own, with whoever asked.
    }
}

}  // namespace

std::size_t processor_count() {
    return std::max(1U, std::thread::hardware_concurrency());
}

Shard::Shard(Options options, Wiring wiring)
    : options_(std::move(options)),
      wiring_(std::move(wiring)),
      io_(1),
      work_(io_.get_executor()),
      core_(options_.place, options_.rooms, options_.chain, entropy_),
      gateway_(
          io_,
          options_.gateway,
          {.port = *this,
           .admission = wiring_.admission,
           .metrics = wiring_.metrics,
           .log = wiring_.log,
           .page = wiring_.page,
           .turn = [this] { turn(); }}),
      outgoing_(options_.place.shards),
      timer_(io_) {}

Shard::~Shard() {
    stop();
}

void Shard::start() {
    wait_tick();
    thread_ = std::thread([this] { run(); });
}

// A handler that throws is a fault of ours; the other connections of the shard are not to pay for
// it.
void Shard::run() {
    while (true) {
        try {
            io_.run();
            return;
        } catch (const std::exception& exception) {
            wiring_.log.error("a shard's handler failed", {{"error", exception.what()}});
        }
    }
}

void Shard::stop() {
    if (!thread_.joinable()) return;
    call([](Shard& shard) {
        shard.stopping_ = true;
        shard.gateway_.stop();
        shard.timer_.cancel();
        shard.work_.reset();
    });
    thread_.join();
}

void Shard::post(ShardMessage message) {
    if (mailbox_.push(std::move(message))) asio::post(io_, [this] { read_mailbox(); });
}

void Shard::call(std::function<void(Shard&)> what) {
    asio::post(io_, [this, what = std::move(what)] { what(*this); });
}

bool Shard::drain_delivery() {
    const bool idle = core_.drain(monotonic_now(), wall_now());
    turn();
    return idle;
}

void Shard::turn() {
    perform(core_.run(monotonic_now(), wall_now()));
}

void Shard::read_mailbox() {
    mailbox_.take(received_);
    for (ShardMessage& message : received_)
        core_.push(std::move(message));
    received_.clear();
    turn();
}

void Shard::wait_tick() {
    timer_.expires_after(tick_interval);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error && !stopping_) tick();  // A timer that is due cannot be cancelled any more.
    });
}

void Shard::tick() {
    const TimePoint now = monotonic_now();
    perform(core_.tick(now, wall_now()));
    if (now >= gateway_tick_at_) {
        gateway_tick_at_ = now + gateway_tick_interval;
        gateway_.tick(now);
    }
    wait_tick();
}

void Shard::perform(std::vector<ShardAction>& actions) {
    for (ShardAction& action : actions) {
        std::visit([this](auto& what) { perform(std::move(what)); }, action);
    }
    actions.clear();
    send_outgoing();
}

// All that a turn has for another shard arrives there at once, so that it goes out to the sockets
// at once too.
void Shard::send_outgoing() {
    for (std::size_t i = 0; i < outgoing_.size(); ++i) {
        Shard& shard = *wiring_.shards[i];
        if (shard.mailbox_.push_all(outgoing_[i]))
            asio::post(shard.io_, [&shard] { shard.read_mailbox(); });
    }
}

void Shard::perform(OpenRoom request) {
    wiring_.store->open(options_.place.shard, std::move(request));
}

void Shard::perform(AppendLog entry) {
    wiring_.store->append(options_.place.shard, std::move(entry.message));
}

void Shard::perform(const TruncateLog& archived) {
    wiring_.store->truncate(archived);
}

void Shard::perform(RunCheck check) {
    const engine::Stage& stage = options_.chain.at(check.stage);
    const RoomId room = check.room;
    const engine::Ticket ticket = check.ticket;
    const bool taken = wiring_.adapters.submit([this, &stage, check = std::move(check)] {
        post(CheckDone{check.room, check.ticket, run_check(stage, check.draft)});
    });
    if (!taken) core_.push(CheckDone{room, ticket, std::nullopt});
}

void Shard::perform(ReadArchive request) {
    wiring_.store->read(options_.place.shard, std::move(request));
}

void Shard::perform(SaveBatch batch) {
    wiring_.store->save(options_.place.shard, std::move(batch));
}

void Shard::perform(GiveUp letters) {
    wiring_.store->keep(std::move(letters));
}

void Shard::perform(Authorize question) {
    const std::uint64_t connection = question.connection;
    const std::uint64_t request = question.request;
    const bool taken = wiring_.adapters.submit([this, question = std::move(question)] {
        auto result = contained([&] {
            return wiring_.checks.auth->authorize(question.user, question.room, question.action);
        });
        if (!result)
            count(
                {.metric = engine::Metric::adapter_error,
                 .value = 1,
                 .reason = {},
                 .label = "auth"});
        post(Authorized{
            question.connection,
            question.request,
            result ? *std::move(result)
                   : Result<Done>(Error{Reason::adapter_error, "the auth adapter threw", {}})});
    });
    if (!taken) {
        core_.push(Authorized{
            connection,
            request,
            Error{Reason::adapter_error, "the adapters are busy", std::nullopt}});
    }
}

void Shard::perform(const engine::Event& event) {
    wiring_.metrics.count(event);
}

std::optional<Verdict> Shard::run_check(const engine::Stage& stage, const Draft& draft) const {
    const CheckAdapters& checks = wiring_.checks;
    switch (stage.kind) {
        case engine::Stage::Kind::auth: {
            const auto result = contained(
                [&] { return checks.auth->authorize(draft.user, draft.room, AuthAction::send); });
            if (!result) return std::nullopt;
            return *result ? Verdict::pass() : Verdict::reject(result->error());
        }
        case engine::Stage::Kind::moderation:
            return contained([&] { return checks.moderation->check(draft); });
        case engine::Stage::Kind::custom:
            for (Middleware* middleware : checks.custom) {
                if (middleware->name() == stage.name)
                    return contained([&] { return middleware->handle(draft); });
            }
            return std::nullopt;
        case engine::Stage::Kind::rate_limit:
            return std::nullopt;  // The room's own; never asked here.
    }
    return std::nullopt;
}

}  // namespace chatx::node
