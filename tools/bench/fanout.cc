#include "tools/bench/fanout.h"

#include "proto/websocket.h"
#include "tools/bench/floor.h"
#include "tools/bench/node_process.h"
#include "tools/bench/process.h"
#include "tools/bench/swarm.h"

#include <chrono>
#include <memory>

namespace chatx::tools {

namespace {

using Clock = std::chrono::steady_clock;

/// Repeats a round for a while and returns the deliveries made in each second of the server's CPU
/// time.
double per_cpu_second(
    const Process& server,
    double seconds,
    std::size_t deliveries_per_round,
    const std::function<void()>& round) {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    const auto cpu_before = server.cpu_time();
    std::size_t deliveries = 0;
    while (Clock::now() < end) {
        round();
        deliveries += deliveries_per_round;
    }
    const std::chrono::duration<double> cpu = server.cpu_time() - cpu_before;
    return static_cast<double>(deliveries) / cpu.count();
}

/// A room with its subscribers and one more client that talks.
class Ours {
public:
    explicit Ours(const FanoutOptions& options)
        : node_(options.node, options.loud), clients_(node_.port(), options.subscribers + 1) {
        clients_.upgrade([](std::size_t client) {
            return "/socket/websocket?vsn=2.0.0&user_id=bench-" + std::to_string(client);
        });
        const std::vector<std::string> join{R"(["1","1","room:bench","phx_join",{}])"};
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            clients_.send(i, join);
            clients_.expect("phx_reply", 1);
        }
        const std::string content(options.content_bytes, 'x');
        for (std::size_t i = 0; i < options.undelivered; ++i) {
            messages_.push_back(
                R"(["1","2","room:bench","new_message",{"content":")" + content + R"("}])");
        }
    }

    [[nodiscard]] const Process& process() const { return node_.process(); }

    [[nodiscard]] std::size_t deliveries_per_round() const {
        return messages_.size() * clients_.size();
    }

    void round() {
        clients_.send(0, messages_);
        clients_.expect("\"new_message\"", deliveries_per_round());
    }

    /// As many bytes as one of our broadcasts has.
    [[nodiscard]] std::string frame() const {
        const std::string text =
            R"([null,null,"room:bench","new_message",{"id":"501809004654100480","room_id":"bench",)"
            R"("user_id":"bench-0",)"
            + messages_.front().substr(39, messages_.front().size() - 41)
            + R"(,"inserted_at":1795509894935,"seq":100000,"epoch":"0-1a20cbab70e-0"}])";
        std::string frame;
        proto::websocket::append_frame(frame, proto::websocket::Opcode::text, text);
        return frame;
    }

private:
    NodeProcess node_;
    Swarm clients_;
    std::vector<std::string> messages_;
};

std::string repeat(const std::string& text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i)
        result += text;
    return result;
}

}  // namespace

std::vector<FanoutRound> measure_fanout(
    const FanoutOptions& options, const std::function<void(std::size_t)>& progress) {
    Ours ours(options);
    const std::string frames = repeat(ours.frame(), options.undelivered);
    Floor floor(frames);
    Swarm sockets(floor.port(), ours.deliveries_per_round() / options.undelivered);
    floor.accept(sockets.size());

    std::vector<FanoutRound> rounds;
    for (std::size_t i = 0; i < options.rounds; ++i) {
        FanoutRound round;
        round.ours = per_cpu_second(
            ours.process(), options.seconds, ours.deliveries_per_round(), [&] { ours.round(); });
        round.floor =
            per_cpu_second(floor.process(), options.seconds, ours.deliveries_per_round(), [&] {
                floor.send();
                sockets.expect_bytes(frames.size() * sockets.size());
            });
        rounds.push_back(round);
        progress(rounds.size());
    }
    return rounds;
}

}  // namespace chatx::tools
