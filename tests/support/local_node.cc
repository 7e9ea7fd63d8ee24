#include "tests/support/local_node.h"

#include <algorithm>
#include <numeric>

namespace chatx::test {

namespace websocket = proto::websocket;

namespace {

constexpr websocket::MaskKey mask{0x12, 0x34, 0x56, 0x78};

std::string heard(const websocket::Event& event) {
    using Kind = websocket::Event::Kind;
    switch (event.kind) {
        case Kind::text:
            return std::string(event.payload);
        case Kind::binary:
            return "binary " + std::string(event.payload);
        case Kind::ping:
            return "ping";
        case Kind::pong:
            return "pong " + std::string(event.payload);
        case Kind::close: {
            std::string text = "close " + std::to_string(static_cast<unsigned>(event.code));
            if (!event.payload.empty()) text.append(" ").append(event.payload);
            return text;
        }
        default:
            return "not a frame of a server";
    }
}

std::string told(const node::OpenRoom& question) {
    return "open " + question.room.text();
}

std::string told(const node::AppendLog& question) {
    const Message& message = *question.message;
    return "append " + message.room.text() + " " + std::to_string(message.seq.value) + " under "
           + to_text(message.epoch);
}

std::string told(const node::ReadArchive& question) {
    std::string text = "load " + question.room.text();
    if (question.range.after_id) text += " after a message";
    if (question.range.after) text += " after " + std::to_string(question.range.after->value);
    if (question.range.before) text += " before " + std::to_string(question.range.before->value);
    return text;
}

std::string told(const node::SaveBatch& question) {
    return "save " + std::to_string(question.messages.size());
}

std::string told(const node::RunCheck& question) {
    return "check stage " + std::to_string(question.stage) + " for " + question.draft.user.text()
           + ": " + question.draft.content;
}

std::string told(const node::Authorize& question) {
    return "authorize " + question.user.text() + " to " + std::string(to_text(question.action))
           + " " + question.room.text();
}

}  // namespace

LocalClient::LocalClient(LocalNode& node, std::uint16_t shard, node::SessionClient client)
    : node_(node),
      outbox_(node.options_.outbox, node.buffers_, *this),
      from_client_({}),
      to_client_({.role = websocket::Role::client, .message_size_max = std::size_t{1} << 24}) {
    session_.emplace(node.options_.session, *node.shards_.at(shard), transport_, std::move(client));
}

void LocalClient::say(std::string_view frame) {
    std::string bytes;
    websocket::append_frame(bytes, websocket::Opcode::text, frame, {.final = true, .mask = mask});
    say_bytes(std::move(bytes));
}

void LocalClient::say_bytes(std::string bytes) {
    from_client_.feed(bytes);
    while (const auto event = from_client_.next()) {
        using Kind = websocket::Event::Kind;
        if (!session_ || session_->closed()) continue;
        if (event->kind == Kind::text) session_->on_text(event->payload, node_.parser_);
        if (event->kind == Kind::binary) session_->on_binary(event->payload);
        if (event->kind == Kind::close) session_->close(event->code, {});
        if (event->kind == Kind::failure) session_->close(event->code, event->payload);
    }
}

std::vector<std::string> LocalClient::hear() {
    std::vector<std::string> frames;
    std::string bytes(outbox_.pending());
    if (!bytes.empty()) outbox_.sent(bytes.size(), node_.now_);
    if (session_) session_->on_flushed();
    to_client_.feed(bytes);
    while (const auto event = to_client_.next())
        frames.push_back(heard(*event));
    return frames;
}

LocalNode::Shard::Shard(LocalNode& owner, node::RoomHost::Place place)
    : node(owner),
      entropy(owner.entropy_.next()),
      core(place, owner.options_.rooms, owner.chain_, entropy) {}

LocalNode::LocalNode(Options options)
    : options_(std::move(options)),
      chain_(std::get<engine::Chain>(engine::Chain::build(options_.checks))),
      entropy_(options_.seed) {
    options_.session.authorize = options_.checks.auth;
    options_.rooms.log = options_.rooms.archive = options_.rooms.room.archive = options_.store;
    start_shards();
}

LocalNode::~LocalNode() = default;

void LocalNode::start_shards() {
    const Epoch epoch = begin_epoch();
    for (std::uint16_t i = 0; i < options_.shards; ++i) {
        shards_.push_back(std::make_unique<Shard>(
            *this,
            node::RoomHost::Place{
                .shard = i,
                .shards = options_.shards,
                .node = 0,
                .epoch = epoch,
                .last_id = store_.last_id().value()}));
    }
    links_.resize((options_.shards + std::size_t{1}) * options_.shards);
}

LocalClient& LocalNode::connect(
    std::string_view user, std::uint16_t shard, node::SharedTokenBucket* address) {
    clients_.push_back(std::make_unique<LocalClient>(
        *this,
        shard,
        node::SessionClient{UserId::parse(user).value(), proto::phoenix::Version::v2, address}));
    return *clients_.back();
}

LocalClient& LocalNode::connect(std::string_view user, proto::phoenix::Version version) {
    clients_.push_back(std::make_unique<LocalClient>(
        *this, 0, node::SessionClient{UserId::parse(user).value(), version, nullptr}));
    return *clients_.back();
}

void LocalNode::restart() {
    clients_.clear();
    shards_.clear();
    links_.clear();
    for (auto& questions : questions_)
        questions.clear();
    store_.complete_archive();
    start_shards();
}

void LocalNode::settle() {
    while (step()) {
    }
}

bool LocalNode::step() {
    for (const auto& shard : shards_)
        perform(*shard, shard->core.run(now_, wall_));
    std::vector<std::size_t> filled;
    for (std::size_t i = 0; i < links_.size(); ++i) {
        if (!links_[i].empty()) filled.push_back(i);
    }
    if (filled.empty()) return false;
    const std::size_t chosen = filled.at(options_.shuffle ? entropy_.below(filled.size()) : 0);
    auto& messages = links_.at(chosen);
    shards_.at(chosen % options_.shards)->core.push(std::move(messages.front()));
    messages.pop_front();
    return true;
}

void LocalNode::advance(Duration duration) {
    settle();
    while (duration > Duration::zero()) {
        const Duration passed = std::min(duration, tick_interval);
        duration -= passed;
        now_ += passed;
        wall_ += std::chrono::duration_cast<Wall::duration>(passed);
        for (const auto& shard : shards_)
            perform(*shard, shard->core.tick(now_, wall_));
        settle();
    }
}

void LocalNode::tell(std::uint16_t shard, node::ShardMessage message) {
    link(options_.shards, shard).push_back(std::move(message));
}

void LocalNode::fail_appends(std::size_t count) {
    std::map<RoomId, std::pair<std::uint16_t, std::size_t>> failed;
    for (; count > 0; --count) {
        const auto asked = take<node::AppendLog>();
        if (!asked) break;
        auto& [shard, entries] = failed[asked->what.message->room];
        shard = asked->shard;
        ++entries;
    }
    const Epoch epoch = begin_epoch();
    for (const auto& [room, failure] : failed) {
        tell(failure.first, node::AppendFailed{room, epoch, failure.second});
    }
}

const engine::Room* LocalNode::room(const RoomId& id) {
    return core(node::shard_of(id, options_.shards)).rooms().find(id);
}

std::uint64_t LocalNode::counted(engine::Metric metric) const {
    const auto found = counts_.find(metric);
    return found == counts_.end() ? 0 : found->second;
}

std::uint64_t LocalNode::refused(node::FrameLimit limit) const {
    const auto found = refused_.find(limit);
    return found == refused_.end() ? 0 : found->second;
}

void LocalNode::perform(Shard& shard, std::vector<node::ShardAction>& actions) {
    const std::uint16_t self = shard.core.shard();
    for (node::ShardAction& action : actions) {
        std::visit(
            [&](auto& what) {
                using What = std::decay_t<decltype(what)>;
                if constexpr (std::is_same_v<What, node::Post>) {
                    link(self, what.shard).push_back(std::move(what.message));
                } else if constexpr (std::is_same_v<What, engine::Event>) {
                    counts_[what.metric] += what.value;
                } else if constexpr (std::is_same_v<What, node::TruncateLog>) {
                    std::vector<node::LogPosition> places;
                    for (const auto& [room, seq] : what.rooms)
                        places.push_back({room, seq});
                    (void)store_.truncate(places);
                } else if constexpr (std::is_same_v<What, node::RoomCrashed>) {
                    crashes_.push_back(what.room.text() + ": " + what.what);
                } else if constexpr (std::is_same_v<What, node::GiveUp>) {
                    given_up_.insert(given_up_.end(), what.messages.begin(), what.messages.end());
                } else if (held_.at(kind<What>())) {
                    new_questions_.push_back(told(what));
                    questions_.at(kind<What>()).emplace_back(self, std::move(what));
                } else {
                    answer(self, std::move(what));
                }
            },
            action);
    }
    actions.clear();
}

void LocalNode::answer(std::uint16_t shard, const node::OpenRoom& question) {
    auto stored =
        node::open_room_with_sends(store_, question.room, 1024, options_.rooms.room.dedupe, wall_);
    if (!stored)
        return tell(shard, node::RoomOpened{question.room, stored.error(), {}, question.attempt});
    tell(
        shard,
        node::RoomOpened{
            question.room, std::move(stored->state), stored->archived, question.attempt});
}

void LocalNode::answer(std::uint16_t shard, const node::AppendLog& question) {
    const std::array batch{question.message};
    if (store_.append(batch)) return tell(shard, node::Committed{{question.message}});
    tell(shard, node::AppendFailed{question.message->room, begin_epoch(), 1});
}

void LocalNode::answer(std::uint16_t shard, const node::ReadArchive& question) {
    tell(
        shard,
        node::ArchiveRead{
            question.room, question.ticket, store_.load(question.room, question.range)});
}

void LocalNode::answer(std::uint16_t shard, const node::SaveBatch& question) {
    tell(shard, node::BatchSaved{question.number, store_.save(question.messages)});
}

void LocalNode::answer(std::uint16_t shard, const node::RunCheck& question) {
    tell(shard, node::CheckDone{question.room, question.ticket, Verdict::pass()});
}

void LocalNode::answer(std::uint16_t shard, const node::Authorize& question) {
    tell(shard, node::Authorized{question.connection, question.request, Done{}});
}

Epoch LocalNode::begin_epoch() {
    return store_.begin_epoch(wall_).value();
}

}  // namespace chatx::test
