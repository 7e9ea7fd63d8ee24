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

}  // namespace

std::size_t processor_count() {
    return std::max(1U, std::thread::hardware_concurrency());
}

Shard::Shard(Options options, Wiring wiring)
    : options_(std::move(options)),
      wiring_(std::move(wiring)),
      calls_(options_.chain, wiring_.checks, wiring_.log),
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
    if (core_.idle()) return;  // A connection was only flushed, or a client only shows that it lives.
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
    const RoomId room = check.room;
    const engine::Ticket ticket = check.ticket;
    const bool taken = wiring_.adapters.submit([this, check = std::move(check)] {
        post(CheckDone{check.room, check.ticket, calls_.check(check.stage, check.draft)});
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
    const bool taken =
        wiring_.adapters.submit([this, question = std::move(question)] { post(answer(question)); });
    if (taken) return;
    count_auth_failure();
    core_.push(Authorized{
        connection, request, Error{Reason::adapter_error, "the adapters are busy", std::nullopt}});
}

void Shard::perform(const engine::Event& event) {
    wiring_.metrics.count(event);
}

// Runs on a thread of the pool.
Authorized Shard::answer(const Authorize& question) {
    auto result = calls_.authorize(question.user, question.room, question.action);
    if (!result) {
        count_auth_failure();
        result = Error{Reason::adapter_error, "the auth adapter threw", std::nullopt};
    }
    return {question.connection, question.request, *std::move(result)};
}

void Shard::count_auth_failure() {
    count({.metric = engine::Metric::adapter_error, .value = 1, .reason = {}, .label = "auth"});
}

}  // namespace chatx::node
