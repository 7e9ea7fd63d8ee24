#include "node/gateway/admin.h"

#include "node/config_keys.h"
#include "node/gateway/query_reader.h"
#include "node/net/clock.h"
#include "node/text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace chatx::node {

namespace asio = boost::asio;
namespace json = proto::json;

namespace {

/// What one shard says of itself.
struct ShardFacts {
    std::size_t connections = 0;
    std::size_t rooms = 0;
    std::size_t delivery_backlog = 0;
};

}  // namespace

struct Admin::Route {
    using Answer = asio::awaitable<HttpAnswer>;

    std::string_view method;
    std::string_view path;
    Answer (AdminRooms::*rooms)(HttpRequest, std::string) = nullptr;
    Answer (AdminConnections::*connections)(HttpRequest, std::string) = nullptr;
    Answer (AdminLetters::*letters)(HttpRequest, std::string) = nullptr;
    Answer (Admin::*node)(HttpRequest, std::string) = nullptr;
};

Admin::Admin(AdminContext context, Facts facts)
    : context_(std::move(context)),
      facts_(std::move(facts)),
      rooms_(context_),
      connections_(context_),
      letters_(context_) {}

asio::awaitable<HttpAnswer> Admin::answer(HttpRequest request, std::string body) {
    static constexpr std::array<Route, 16> routes{{
        {.method = "GET", .path = "/v1/rooms", .rooms = &AdminRooms::list},
        {.method = "GET", .path = "/v1/room", .rooms = &AdminRooms::info},
        {.method = "GET", .path = "/v1/room/where", .rooms = &AdminRooms::where},
        {.method = "GET", .path = "/v1/room/members", .rooms = &AdminRooms::members},
        {.method = "GET", .path = "/v1/room/history", .rooms = &AdminRooms::history},
        {.method = "GET", .path = "/v1/room/tail", .rooms = &AdminRooms::tail},
        {.method = "POST", .path = "/v1/room/send", .rooms = &AdminRooms::send},
        {.method = "POST", .path = "/v1/room/reset", .rooms = &AdminRooms::reset},
        {.method = "GET", .path = "/v1/connections", .connections = &AdminConnections::list},
        {.method = "GET", .path = "/v1/connection", .connections = &AdminConnections::info},
        {.method = "POST", .path = "/v1/connection/close", .connections = &AdminConnections::close},
        {.method = "GET", .path = "/v1/dead-letters", .letters = &AdminLetters::list},
        {.method = "POST", .path = "/v1/dead-letters/replay", .letters = &AdminLetters::replay},
        {.method = "GET", .path = "/v1/node", .node = &Admin::node_info},
        {.method = "GET", .path = "/v1/errors", .node = &Admin::errors},
        {.method = "GET", .path = "/v1/config", .node = &Admin::config},
    }};
    const auto route = std::ranges::find(routes, std::string_view(request.path), &Route::path);
    if (route == routes.end()) {
        const std::string path = quoted(clipped(request.path, 64));
        co_return admin_refusal(
            {404, "not_found", "The admin API has no " + path + "."}, context_.all());
    }
    const bool reads = route->method == "GET" && request.method == "HEAD";
    if (request.method != route->method && !reads) {
        auto refusal = admin_refusal(
            {405, "method_not_allowed", "Use " + std::string(route->method) + " here."},
            context_.all());
        refusal.headers.emplace_back("Allow", std::string(route->method));
        co_return refusal;
    }
    auto answer = co_await call(*route, std::move(request), std::move(body));
    co_return answer;
}

asio::awaitable<HttpAnswer> Admin::call(const Route& route, HttpRequest request, std::string body) {
    if (route.rooms != nullptr) return (rooms_.*route.rooms)(std::move(request), std::move(body));
    if (route.connections != nullptr)
        return (connections_.*route.connections)(std::move(request), std::move(body));
    if (route.letters != nullptr)
        return (letters_.*route.letters)(std::move(request), std::move(body));
    return (this->*route.node)(std::move(request), std::move(body));
}

asio::awaitable<HttpAnswer> Admin::node_info(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    if (const auto refusal = query.refusal()) co_return admin_refusal(*refusal, context_.all());
    const auto shards = co_await context_.questions.ask_all<ShardFacts>(
        {.count = context_.shards.size(), .wait = admin_wait},
        [&](const Questions::Reply<ShardFacts>& reply) {
            for (const auto& shard : context_.shards) {
                shard->call([reply](Shard& own) {
                    const RoomHost& rooms = own.core().rooms();
                    reply(
                        {own.gateway().connection_count(),
                         rooms.room_count(),
                         rooms.delivery_backlog()});
                });
            }
        });
    ShardFacts sum;
    for (const ShardFacts& shard : shards) {
        sum.connections += shard.connections;
        sum.rooms += shard.rooms;
        sum.delivery_backlog += shard.delivery_backlog;
    }
    const bool complete = shards.size() == context_.shards.size();
    const Config& config = facts_.config.config;
    const auto uptime =
        std::chrono::duration_cast<std::chrono::seconds>(monotonic_now() - facts_.started);
    co_return admin_answer("chatx.node.v1", {context_.node, complete}, [&](json::Writer& writer) {
        text_member(writer, "name", context_.node);
        text_member(writer, "version", facts_.version);
        number_member(writer, "process", static_cast<std::uint64_t>(::getpid()));
        text_member(writer, "epoch", to_text(facts_.epoch));
        writer.key("ready");
        writer.boolean(facts_.pages.ready());
        time_member(writer, "started_at", facts_.started_at);
        number_member(writer, "uptime_s", static_cast<std::uint64_t>(uptime.count()));
        number_member(writer, "shards", context_.shards.size());
        number_member(writer, "connections", sum.connections);
        number_member(writer, "rooms", sum.rooms);
        number_member(writer, "delivery_backlog", sum.delivery_backlog);
        text_member(writer, "url", facts_.url);
        text_member(writer, "admin_socket", facts_.admin_socket);
        text_member(writer, "store", context_.store ? config.data : std::string("memory"));
    });
}

asio::awaitable<HttpAnswer> Admin::errors(HttpRequest /*request*/, std::string /*body*/) {
    co_return admin_answer("chatx.errors.v1", context_.all(), [](json::Writer& writer) {
        writer.key("errors");
        writer.begin_array();
        for (const ReasonInfo& info : all_reasons()) {
            writer.begin_object();
            text_member(writer, "reason", info.text);
            text_member(writer, "cause", info.cause);
            text_member(writer, "remedy", info.remedy);
            writer.end_object();
        }
        writer.end_array();
    });
}

asio::awaitable<HttpAnswer> Admin::config(HttpRequest /*request*/, std::string /*body*/) {
    co_return admin_answer("chatx.config.v1", context_.all(), [this](json::Writer& writer) {
        writer.key("config");
        writer.begin_array();
        for (const ConfigKey& key : config_keys()) {
            const auto origin = facts_.config.origins.find(key.name);
            writer.begin_object();
            text_member(writer, "key", key.name);
            text_member(writer, "value", key.print(facts_.config.config));
            text_member(
                writer,
                "origin",
                to_text(origin == facts_.config.origins.end() ? Origin() : origin->second));
            writer.end_object();
        }
        writer.end_array();
    });
}

}  // namespace chatx::node
