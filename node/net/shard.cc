#include "node/net/shard.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

constexpr auto tick_interval = std::chrono::milliseconds(50);
constexpr auto gateway_tick_interval = std::chrono::seconds(1);
constexpr std::string_view auth_label = "auth";  // Of its stage and its counters.

}  // namespace

std::size_t processor_count() {
    return std::max(1U, std::thread::hardware_concurrency());
}

Shard::Shard(Options options, Wiring wiring)
    : options_(std::move(options)),
      wiring_(std::move(wiring)),
      calls_(std::make_shared<const AdapterCalls>(options_.chain, wiring_.checks)),
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
           .turn = [this] { turn(); },
           .shard = options_.place.shard,
           .shards = options_.place.shards,
           .relay =
               [this](std::uint16_t shard, std::function<void(Gateway&)> what) {
                   wiring_.shards[shard]->call([what = std::move(what)](Shard& there) {
                       what(there.gateway_);
                       there.turn();
                   });
               }}),
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
    if (core_.idle())
        return;  // A connection was only flushed, or a client only shows that it lives.
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

// The next one is arranged for first: whatever this one throws does not stop the clock.
void Shard::tick() {
    wait_tick();
    const TimePoint now = monotonic_now();
    perform(core_.tick(now, wall_now()));
    if (now >= gateway_tick_at_) {
        gateway_tick_at_ = now + gateway_tick_interval;
        gateway_.tick(now);
    }
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

void Shard::perform(const RoomCrashed& crash) {
    wiring_.log.error(
        "a room crashed; its clients come again, and it is opened anew",
        {{"room", crash.room.text()}, {"error", crash.what}});
}

void Shard::perform(OpenRoom request) const {
    wiring_.store->open(options_.place.shard, std::move(request));
}

void Shard::perform(AppendLog entry) const {
    wiring_.store->append(options_.place.shard, std::move(entry.message));
}

void Shard::perform(const TruncateLog& archived) const {
    wiring_.store->truncate(archived);
}

void Shard::perform(RunCheck check) {
    const RoomId room = check.room;
    const engine::Ticket ticket = check.ticket;
    const engine::Stage& stage = options_.chain.at(check.stage);
    const bool taken = wiring_.adapters.submit(
        stage.name,
        {.answer_by = monotonic_now() + options_.rooms.room.check_deadline,
         .ask = [this, calls = calls_, check = std::move(check)]() -> AdapterPool::Answer {
             auto answer = calls->check(check.stage, check.draft);
             return [this, room = check.room, ticket = check.ticket, answer = std::move(answer)] {
                 post(CheckDone{room, ticket, heard(answer)});
             };
         },
         .dropped =
             [this, label = stage.label()] { wiring_.metrics.count_adapter_call_dropped(label); }});
    if (!taken) core_.push(CheckDone{room, ticket, std::nullopt});
}

void Shard::perform(ReadArchive request) const {
    wiring_.store->read(options_.place.shard, std::move(request));
}

void Shard::perform(SaveBatch batch) const {
    wiring_.store->save(options_.place.shard, std::move(batch));
}

void Shard::perform(GiveUp letters) const {
    wiring_.store->keep(std::move(letters));
}

void Shard::perform(Authorize question) {
    const std::uint64_t connection = question.connection;
    const std::uint64_t request = question.request;
    const bool taken = wiring_.adapters.submit(
        auth_label,
        {.answer_by = monotonic_now() + Core::authorize_deadline,
         .ask = [this, calls = calls_, question = std::move(question)]() -> AdapterPool::Answer {
             auto answer = calls->authorize(question.user, question.room, question.action);
             return [this, question, answer = std::move(answer)] { authorized(question, answer); };
         },
         .dropped = [this] { wiring_.metrics.count_adapter_call_dropped(auth_label); }});
    if (taken) return;
    count_auth_failure();
    core_.push(Authorized{
        connection, request, Error{Reason::adapter_error, "the adapters are busy", std::nullopt}});
}

void Shard::perform(const engine::Event& event) {
    wiring_.metrics.count(event);
}

// This and `heard` run on a thread of a pool.
void Shard::authorized(const Authorize& question, const AdapterAnswer<Result<Done>>& answer) {
    auto result = heard(answer);
    if (!result) {
        count_auth_failure();
        result = Error{Reason::adapter_error, "the auth adapter threw", std::nullopt};
    }
    post(Authorized{question.connection, question.request, *std::move(result)});
}

template <class Answer>
std::optional<Answer> Shard::heard(const AdapterAnswer<Answer>& answer) {
    if (const auto* given = std::get_if<Answer>(&answer)) return *given;
    log_failure(wiring_.log, std::get<AdapterFailure>(answer));
    return std::nullopt;
}

void Shard::count_auth_failure() {
    count({.metric = engine::Metric::adapter_error, .value = 1, .reason = {}, .label = auth_label});
}

}  // namespace chatx::node
