#include "node/server.h"

#include "engine/middleware.h"
#include "node/config_keys.h"
#include "node/config_rules.h"
#include "node/payloads.h"
#include "node/version.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;

namespace {

/// Files, sockets of operators, and what libraries open.
constexpr std::size_t descriptors_reserved = 64;

constexpr auto log_report_interval = std::chrono::seconds(1);
constexpr auto delivery_drain_max = std::chrono::seconds(10);
constexpr auto goodbye_max = std::chrono::seconds(2);  // A gateway lingers as long.
constexpr auto drain_look_interval = std::chrono::milliseconds(20);
constexpr std::size_t shards_max = 64;

static_assert(
    outbound_bytes_min >= page_bytes_max + frame_envelope_bytes_max,
    "a page of history fits in an outbox");

std::uint16_t count_shards(const Config& config) {
    const std::size_t wanted = config.shards != 0 ? config.shards : processor_count();
    return static_cast<std::uint16_t>(std::clamp<std::size_t>(wanted, 1, shards_max));
}

engine::TokenRate rate(std::uint32_t per_sec, std::uint32_t burst) {
    return engine::TokenRate(
        {.tokens_per_sec = static_cast<double>(per_sec), .burst = static_cast<double>(burst)});
}

Admission::Limits admission_limits(const Config::Limits& limits) {
    Admission::Limits admission;
    admission.connections_max = limits.connections;
    admission.connections_per_address_max = limits.connections_per_ip;
    admission.connections_per_user_max = limits.connections_per_user;
    admission.pending_max = limits.pending_connections;
    admission.pending_per_address_max = limits.pending_connections_per_ip;
    admission.accepts = rate(limits.accepts_per_sec_per_ip, limits.accepts_burst_per_ip);
    admission.frames = rate(limits.frames_per_sec_per_ip, limits.frames_burst_per_ip);
    return admission;
}

FrameLimiter::Options frame_rates(const Config::Limits& limits) {
    FrameLimiter::Options rates;
    rates.frames = rate(limits.frames_per_sec, limits.frames_burst);
    rates.joins = rate(limits.joins_per_sec, limits.joins_burst);
    rates.typing = rate(limits.typing_per_sec, limits.typing_burst);
    rates.signals = rate(limits.signals_per_sec, limits.signals_burst);
    rates.heartbeats = rate(limits.heartbeats_per_sec, limits.heartbeats_burst);
    return rates;
}

}  // namespace

Server::Server(LoadedConfig config, Logger& log, Adapters adapters)
    : loaded_(std::move(config)),
      config_(loaded_.config),
      log_(log),
      signals_(io_),
      timer_(io_),
      log_timer_(io_),
      shard_count_(count_shards(config_)),
      checks_(std::move(adapters)),
      metrics_({.shards = shard_count_, .version = std::string(version), .started_at = wall_now()}),
      pages_({.demo = config_.dev, .metrics = !config_.metrics_listen}, metrics_),
      admission_(admission_limits(config_.limits)) {}

Server::~Server() {
    if (shards_.empty()) return;
    if (control_) {
        // What it runs refers to the parts: nothing of it may outlive them, also after a failure.
        bool stopped = false;
        finishing_ = true;
        control_->stop([&] { stopped = true; });
        io_.restart();
        while (!stopped && io_.run_one() > 0) {
        }
    }
    end_parts();
}

Server::Problem Server::start() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        signals_.add(signal);
    for (const auto step :
         {&Server::check_adapters,
          &Server::open_store,
          &Server::build_shards,
          &Server::open_listener,
          &Server::open_control}) {
        if (auto problem = (this->*step)()) return problem;
    }
    raise_descriptor_limit();
    warn_of_exposure();
    for (const auto& shard : shards_)
        shard->start();
    shards_.front()->call([this](Shard&) { listener_->start(); });
    if (config_.dev) seed_general();
    control_->start();
    pages_.set_ready(true);
    log_.info(
        "ready",
        {{"url", url()},
         {"node", config_.name},
         {"process", static_cast<std::int64_t>(getpid())},
         {"epoch", to_text(epoch_)},
         {"shards", shard_count_},
         {"store", store_ ? config_.data : std::string("memory")},
         {"admin", control_->path()}});
    return std::nullopt;
}

int Server::run() {
    wait_signal();
    wait_log_report();
    io_.run();
    return status_;
}

// Each client takes a descriptor; what the system starts a process with is often less than it
// allows.
void Server::raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const bool enough = limit.rlim_max >= config_.limits.connections + descriptors_reserved;
    if (enough || config_.dev) return;
    log_.warning(
        "fewer connections fit than are allowed",
        {{"limits.connections", config_.limits.connections},
         {"open_files", static_cast<std::uint64_t>(limit.rlim_max)},
         {"remedy", "raise LimitNOFILE or ulimit -n, or lower limits.connections"}});
}

void Server::warn_of_exposure() {
    if (asio::ip::make_address(config_.listen.address).is_loopback()) return;
    log_.warning(
        checks_.auth == nullptr
            ? LogText("everybody who reaches the port may join and send under any name")
            : LogText("everybody who reaches the port may claim to be any user"),
        {{"listen", to_text(config_.listen)}});
}

// What should decide and is never asked would let everything pass.
Server::Problem Server::check_adapters() {
    const auto idle = [&](bool given, std::string_view name) {
        return given && std::ranges::find(config_.middlewares, name) == config_.middlewares.end();
    };
    if (idle(checks_.auth != nullptr, "auth"))
        return "there is an auth adapter and nothing asks it about messages; add \"auth\" to "
               "middlewares";
    if (idle(checks_.moderation != nullptr, "moderation"))
        return "there is a moderation adapter and nothing asks it; add \"moderation\" to "
               "middlewares";
    if (config_.moderation != ModerationKind::none && checks_.moderation == nullptr)
        return "moderation is configured and the program brings no such adapter";
    return std::nullopt;
}

// Every start is a new reign, so that no place is named twice: with a store the counter is durable,
// without one nothing of an earlier reign is left.
Server::Problem Server::open_store() {
    if (config_.persistence == PersistenceKind::none) {
        epoch_ = Epoch{0, static_cast<std::uint64_t>(wall_now().time_since_epoch().count()), 0};
        return std::nullopt;
    }
    auto store = SqliteStore::open(config_.data, entropy_, {});
    if (!store) return store.error().detail;
    store_ = *std::move(store);
    const auto epoch = store_->begin_epoch(wall_now());
    if (!epoch) return "cannot write to the store in " + config_.data + ": " + epoch.error().detail;
    epoch_ = *epoch;
    if (auto problem = deliver_backlog()) return problem;
    const auto last_id = store_->last_id();
    if (!last_id) return "cannot read the store in " + config_.data + ": " + last_id.error().detail;
    last_id_ = *last_id;
    return std::nullopt;
}

// What the log has and the archive may lack, after a crash.
Server::Problem Server::deliver_backlog() {
    std::optional<LogPosition> after;
    std::size_t delivered = 0;
    while (true) {
        const auto page = store_->backlog(after, log_page_max);
        if (!page) return "cannot read the log in " + config_.data + ": " + page.error().detail;
        if (page->empty()) break;
        std::map<RoomId, Seq> upto;
        for (const MessagePtr& message : *page)
            upto.insert_or_assign(message->room, message->seq);
        std::vector<LogPosition> archived;
        for (const auto& [room, seq] : upto)
            archived.push_back({room, seq});
        auto done = store_->save(*page);
        if (done) done = store_->truncate(archived);
        if (!done)
            return "cannot write to the store in " + config_.data + ": " + done.error().detail;
        after = LogPosition{page->back()->room, page->back()->seq};
        delivered += page->size();
    }
    if (delivered > 0) log_.info("history completed after a crash", {{"messages", delivered}});
    return std::nullopt;
}

Server::Problem Server::build_shards() {
    std::vector<std::string> custom;
    for (const Middleware* middleware : checks_.middlewares)
        custom.emplace_back(middleware->name());
    auto chain = engine::Chain::build(
        {.names = config_.middlewares,
         .custom = std::move(custom),
         .auth = checks_.auth != nullptr,
         .moderation = checks_.moderation != nullptr});
    if (const auto* problem = std::get_if<std::string>(&chain)) return *problem;

    adapters_ =
        std::make_unique<AdapterPools>(std::get<engine::Chain>(chain), AdapterPool::Options{});
    for (std::uint16_t i = 0; i < shard_count_; ++i) {
        shards_.push_back(std::make_unique<Shard>(
            shard_options(i, std::get<engine::Chain>(chain)),
            Shard::Wiring{
                .shards = shards_,
                .store = nullptr,
                .adapters = *adapters_,
                .admission = admission_,
                .checks = checks_,
                .metrics = metrics_.shard(i),
                .log = log_,
                .page = [this](const HttpRequest& request) { return pages_.answer(request); }}));
    }
    if (!store_) return std::nullopt;
    store_worker_ = std::make_unique<StoreWorker>(
        StoreWorker::Stores{
            .log = *store_,
            .archive = *store_,
            .dead_letters = *store_,
            .recent_max = config_.history_ring.messages,
            .retry_appends = config_.ack != AckLevel::disk},
        [this](std::uint16_t shard, ShardMessage message) {
            shards_[shard]->post(std::move(message));
        },
        StoreWorker::Observer{
            .appended = [this](
                            Duration took, std::size_t) { metrics_.shard(0).log_appended(took); },
            .counted =
                [this](StoreOperation operation) {
                    metrics_.shard(0).count_store_error(operation);
                },
            .failed =
                [this](StoreOperation operation, const Error& error) {
                    log_.error(
                        "the store failed",
                        {{"operation", to_text(operation)}, {"error", error.detail}});
                },
            .log_backlog =
                [this](std::uint16_t shard, std::int64_t change) {
                    metrics_.shard(shard).log_backlog_changed(change);
                },
            .dead_letters =
                [this](std::int64_t change) { metrics_.shard(0).dead_letters_changed(change); },
            .down =
                [this](const Error& error) {
                    log_.error(
                        "the store takes nothing; the node is not ready until it does",
                        {{"error", error.detail}});
                    metrics_.shard(0).store_went_down();
                    pages_.set_store_down(true);
                },
            .up =
                [this] {
                    log_.info("the store works again");
                    metrics_.shard(0).store_came_up();
                    pages_.set_store_down(false);
                }});
    for (const auto& shard : shards_)
        shard->set_store(*store_worker_);
    return std::nullopt;
}

Shard::Options Server::shard_options(std::uint16_t shard, engine::Chain chain) const {
    const Config& c = config_;
    engine::RoomOptions room;
    room.message_size_limit = c.message_size_limit;
    room.queue_limit = c.room_queue_limit;
    room.members_max = c.limits.members_per_room;
    room.rate_limit.messages_per_sec = c.rate_limit.messages_per_sec;
    room.rate_limit.burst = c.rate_limit.burst;
    room.history.messages_max = c.history_ring.messages;
    room.archive = store_ != nullptr;
    room.moderation_fails_open = c.moderation_failure == ModerationFailure::open;

    RoomHostOptions rooms;
    rooms.room = room;
    rooms.delivery.batch_size = c.delivery_batch_size;
    rooms.delivery.tick = c.delivery_tick;
    rooms.delivery.max_retries = c.delivery_max_retries;
    rooms.delivery.retry_base = c.delivery_retry_base;
    rooms.commit = c.ack == AckLevel::disk ? CommitRule::logged : CommitRule::at_once;
    rooms.log = store_ != nullptr;
    rooms.archive = store_ != nullptr;
    rooms.rooms_max = std::max<std::size_t>(1, c.limits.rooms / shard_count_);
    rooms.room_idle = c.room_idle;

    GatewayOptions gateway;
    gateway.session.message_size_limit = c.message_size_limit;
    gateway.session.joins_max = c.limits.joins_per_connection;
    gateway.session.rates = frame_rates(c.limits);
    gateway.session.authorize = checks_.auth != nullptr;
    gateway.session.node = c.name;
    gateway.session.gaps = c.limits.slow_consumer == SlowConsumer::gap;
    gateway.outbox.offered_max = c.limits.outbound_bytes;
    gateway.outbox.bytes_max = c.limits.outbound_bytes * (gateway.session.gaps ? 2 : 1);
    gateway.outbox.age_max = c.limits.outbound_age;
    gateway.message_size_max = c.inbound_message_limit;
    gateway.idle_max = c.limits.idle_timeout;
    gateway.poll.window = c.limits.long_poll_window;
    gateway.linger = goodbye_max;
    gateway.allowed_origins = c.allowed_origins;
    return {
        .place =
            {.shard = shard,
             .shards = shard_count_,
             .node = 0,
             .epoch = epoch_,
             .last_id = last_id_},
        .rooms = std::move(rooms),
        .chain = std::move(chain),
        .gateway = std::move(gateway)};
}

Server::Problem Server::open_listener() {
    const asio::ip::tcp::endpoint endpoint(
        asio::ip::make_address(config_.listen.address), config_.listen.port);
    listener_ = std::make_unique<Listener>(
        endpoint,
        shards_,
        admission_,
        metrics_.shard(0),
        ListenerOptions{rate(config_.limits.accepts_per_sec, config_.limits.accepts_burst)});
    return listener_->open();
}

Server::Problem Server::open_control() {
    std::optional<AdminStore> store;
    if (store_worker_) store.emplace(AdminStore{*store_worker_, *store_, *store_, *store_});
    const auto endpoint = listener_->endpoint();
    control_ = std::make_unique<ControlPort>(ControlPort::Wiring{
        .io = io_,
        .config = loaded_,
        .shards = shards_,
        .store = store,
        .pages = pages_,
        .metrics = metrics_,
        .listen = {endpoint.address().to_string(), endpoint.port()},
        .facts = {
            .config = loaded_,
            .pages = pages_,
            .version = std::string(version),
            .epoch = epoch_,
            .started_at = wall_now(),
            .started = monotonic_now(),
            .url = url(),
            .admin_socket = {}}});
    return control_->open();
}

std::string Server::url() const {
    const auto endpoint = listener_->endpoint();
    const auto& address = endpoint.address();
    const bool local = address.is_loopback() || address.is_unspecified();
    const std::string host = local ? "localhost" : to_text(Endpoint{address.to_string(), 0});
    return "http://" + (local ? host : host.substr(0, host.rfind(':'))) + ":"
           + std::to_string(endpoint.port());
}

// The room that a newcomer sees first says what it is.
void Server::seed_general() {
    constexpr std::array lines{
        "Welcome. This room is called general; type below and press Enter.",
        "Open this page in a second tab: both see every message, once and in the same order.",
        "A check mark means that the node has your message. Go offline for 10 s: on return, "
        "nothing is missing.",
        "The frames pane shows the Phoenix protocol as it is spoken; the footer says who owns the "
        "room.",
    };
    const RoomId room = *RoomId::parse("general");
    const UserId user = *UserId::parse("chatx");
    Shard& owner = *shards_[shard_of(room, shard_count_)];
    for (const char* line : lines) {
        owner.post(RoomCommand{
            room,
            engine::Send{
                .reply_to = {}, .user = user, .content = line, .client_id = {}, .answers = {}}});
    }
}

void Server::wait_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        if (signal == SIGHUP) {
            log_.warning(
                "configuration is not reloaded", {{"remedy", "restart the node to apply changes"}});
            return wait_signal();
        }
        if (draining_) return finish();
        begin_drain();
        wait_signal();
    });
}

// Lines that were held back are told of soon, also when their like does not come again.
void Server::wait_log_report() {
    log_timer_.expires_after(log_report_interval);
    log_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        log_.report_suppressed();
        wait_log_report();
    });
}

void Server::begin_drain() {
    draining_ = true;
    pages_.set_ready(false);
    log_.info("draining", {{"batch", config_.drain.batch}});
    shards_.front()->call([this](Shard&) { listener_->stop(); });
    drain_clients();
}

// Closes a batch on every shard, waits, and again until no client is left.
void Server::drain_clients() {
    const std::size_t batch = std::max<std::size_t>(1, config_.drain.batch / shards_.size());
    const auto close_batch = [batch](Shard& shard) { return shard.gateway().drain(batch) > 0; };
    ask_shards(close_batch, [this](bool left) {
        if (left) return after(config_.drain.interval, &Server::drain_clients);
        drain_until_ = monotonic_now() + goodbye_max;
        await_goodbyes();
    });
}

// What a client is told with its close is to leave before its socket closes; and it closes first.
void Server::await_goodbyes() {
    const auto connected = [](Shard& shard) { return shard.gateway().connection_count() > 0; };
    ask_shards(connected, [this](bool left) {
        if (left && monotonic_now() < drain_until_)
            return after(drain_look_interval, &Server::await_goodbyes);
        drain_until_ = monotonic_now() + delivery_drain_max;
        drain_delivery();
    });
}

void Server::drain_delivery() {
    ask_shards(
        [](Shard& shard) { return !shard.drain_delivery(); },
        [this](bool left) {
            if (left && monotonic_now() < drain_until_)
                return after(drain_look_interval, &Server::drain_delivery);
            finish();
        });
}

// Goes on when all have answered, with whether one of them said yes. One question at a time.
void Server::ask_shards(
    const std::function<bool(Shard&)>& ask, const std::function<void(bool)>& then) {
    shards_pending_ = shards_.size();
    any_shard_ = false;
    for (const auto& shard : shards_) {
        shard->call([this, ask, then](Shard& own) {
            const bool yes = ask(own);
            asio::post(io_, [this, yes, then] {
                any_shard_ |= yes;
                if (--shards_pending_ == 0) then(any_shard_);
            });
        });
    }
}

void Server::after(Duration wait, void (Server::*step)()) {
    timer_.expires_after(wait);
    timer_.async_wait([this, step](const boost::system::error_code& error) {
        if (!error) (this->*step)();
    });
}

// Operators first, while there is something that answers them; then the rest. Whoever does not want
// to wait for that need not.
void Server::finish() {
    if (std::exchange(finishing_, true)) return;
    for (const int signal : {SIGTERM, SIGINT})
        signals_.remove(signal);
    control_->stop([this] {
        end_parts();
        log_.info("stopped");
        io_.stop();
    });
}

void Server::end_parts() {
    shards_.front()->call([this](Shard&) { listener_->stop(); });
    for (const auto& shard : shards_)
        shard->stop();
    if (store_worker_) store_worker_->stop();
    for (const std::string& adapter : adapters_->stop()) {
        status_ = adapter_hangs_status;
        log_.error("an adapter does not return; the node ends without it", {{"adapter", adapter}});
    }
    control_.reset();   // Its visits to rooms and
    listener_.reset();  // the listener live on the shards' loops.
    shards_.clear();
}

}  // namespace chatx::node
