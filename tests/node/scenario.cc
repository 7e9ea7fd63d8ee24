#include "tests/node/scenario.h"

#include "proto/json.h"
#include "tests/support/local_node.h"
#include "tests/support/messages.h"

#include <charconv>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

namespace chatx::test {

namespace {

/// Gives names to texts that nobody wants to read, in the order of their appearance.
class Names {
public:
    /// Replaces what stands behind `key` and in front of the next quote.
    void hide(std::string& text, std::string_view key, char prefix) {
        std::size_t at = 0;
        while ((at = text.find(key, at)) != text.npos) {
            at += key.size();
            const std::size_t end = text.find('"', at);
            const std::string name = name_of(text.substr(at, end - at), prefix);
            text.replace(at, end - at, name);
            at += name.size();
        }
    }

    /// Puts the texts back in the place of their names.
    void reveal(std::string& text) const {
        for (const auto& [original, name] : names_) {
            for (std::size_t at = 0; (at = text.find(name, at)) != text.npos;) {
                text.replace(at, name.size(), original);
                at += original.size();
            }
        }
    }

private:
    const std::string& name_of(const std::string& original, char prefix) {
        const auto [found, added] = names_.try_emplace(original);
        if (added) {
            found->second = std::string("<") + prefix + std::to_string(++counts_[prefix]) + ">";
        }
        return found->second;
    }

    std::map<std::string, std::string> names_;
    std::map<char, int> counts_;
};

class Player {
public:
    std::string play(std::string_view text) {
        std::istringstream lines{std::string(text)};
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with(' ')) continue;
            out_ += line + '\n';
            if (line.empty() || line.starts_with('#')) continue;
            names_.reveal(line);
            if (!perform(line)) out_ += "  not understood\n";
        }
        return out_;
    }

private:
    bool perform(const std::string& line) {
        std::istringstream words(line);
        std::string verb;
        words >> verb;
        if (verb == "node") return make_node(words);
        if (!node_) make(LocalNode::Options{});
        if (verb == "connect") return connect(words);
        const bool known = clients_.contains(verb) ? say(verb, words) : act(verb, words);
        if (known && !burst_) report();
        return known;
    }

    bool act(const std::string& verb, std::istringstream& words) {
        std::string what;
        words >> what;
        if (verb == "clock") return let_pass(what);
        if (verb == "hang" && what == "up") return hang_up(words);
        if (verb == "hold" || verb == "release") return hold(what, verb == "hold");
        if (verb == "verdict") return give_verdict(what, words);
        if (verb == "authorize") return authorize(what, words);
        if (verb == "log") return act_on_log(what, words);
        if (verb == "archive") return set_archive(what == "works");
        if (verb == "restart") return restart();
        if (verb == "fault") return break_entropy();
        if (verb == "reset") return reset(what);
        if (verb == "show") return show(what);
        return false;
    }

    bool make_node(std::istringstream& words) {
        LocalNode::Options options;
        for (std::string word; words >> word;) {
            const std::size_t equals = word.find('=');
            const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
            if (!configure(options, word.substr(0, equals), value)) return false;
        }
        make(std::move(options));
        return true;
    }

    static bool configure(
        LocalNode::Options& options, const std::string& key, const std::string& value) {
        const auto number = [](std::string_view text) {
            std::size_t parsed = 0;
            std::from_chars(text.data(), text.data() + text.size(), parsed);
            return parsed;
        };
        auto& rooms = options.rooms;
        if (key == "shards") {
            options.shards = static_cast<std::uint16_t>(number(value));
        } else if (key == "store") {
            options.store = true;
        } else if (key == "commit") {
            rooms.commit = value == "logged" ? node::CommitRule::logged : node::CommitRule::at_once;
        } else if (key == "auth") {
            options.checks.auth = true;
        } else if (key == "moderation") {
            options.checks.moderation = true;
            rooms.room.moderation_fails_open = value == "open";
        } else if (key == "rate") {
            const std::size_t slash = value.find('/');
            rooms.room.rate_limit.messages_per_sec = static_cast<double>(number(value));
            rooms.room.rate_limit.burst =
                static_cast<double>(number(std::string_view(value).substr(slash + 1)));
        } else if (key == "queue") {
            rooms.room.queue_limit = number(value);
        } else if (key == "joins") {
            options.session.joins_max = number(value);
        } else if (key == "ring") {
            rooms.room.history.messages_max = number(value);
        } else if (key == "retries") {
            rooms.delivery.max_retries = static_cast<std::uint32_t>(number(value));
        } else {
            return false;
        }
        return true;
    }

    void make(LocalNode::Options options) {
        options.session.node = "n1";
        node_ = std::make_unique<LocalNode>(std::move(options));
        node_->store().fails = [this](std::string_view call, auto) -> std::optional<Error> {
            if (archive_works_ || (call != "save" && call != "load")) return std::nullopt;
            return Error{Reason::adapter_error, "the archive is broken", {}};
        };
    }

    bool connect(std::istringstream& words) {
        std::string name;
        words >> name;
        std::string user = name;
        std::uint16_t shard = 0;
        for (std::string word; words >> word;) {
            if (word == "as") words >> user;
            if (word == "on") words >> shard;
        }
        clients_[name] = &node_->connect(user, shard);
        return true;
    }

    bool say(const std::string& name, std::istringstream& words) {
        std::string arrow;
        std::string frame;
        words >> arrow >> std::ws;
        std::getline(words, frame);
        if (arrow != "->" && arrow != "->>") return false;
        clients_.at(name)->say(frame);
        burst_ = arrow == "->>";
        return true;
    }

    bool let_pass(const std::string& duration) {
        std::int64_t count = 0;
        const auto unit =
            std::from_chars(duration.data(), duration.data() + duration.size(), count).ptr;
        const bool seconds = std::string_view(unit) == "s";
        node_->advance(std::chrono::milliseconds(seconds ? count * 1000 : count));
        return seconds || std::string_view(unit) == "ms";
    }

    bool hang_up(std::istringstream& words) {
        std::string name;
        words >> name;
        const auto client = clients_.find(name);
        if (client == clients_.end()) return false;
        client->second->hang_up();
        clients_.erase(client);
        return true;
    }

    template <class What>
    bool hold(bool held) {
        held ? node_->hold<What>() : node_->release<What>();
        return true;
    }

    bool hold(const std::string& what, bool held) {
        if (what == "checks") return hold<node::RunCheck>(held);
        if (what == "auth") return hold<node::Authorize>(held);
        if (what == "log") return hold<node::AppendLog>(held);
        if (what == "opens") return hold<node::OpenRoom>(held);
        if (what == "loads") return hold<node::ReadArchive>(held);
        if (what == "saves") return hold<node::SaveBatch>(held);
        return false;
    }

    bool give_verdict(std::string kind, std::istringstream& words) {
        const bool last = kind == "last";
        if (last) words >> kind;
        const auto asked = node_->take<node::RunCheck>(last);
        if (!asked) return false;
        std::optional<Verdict> verdict;
        std::string text;
        words >> std::ws;
        if (kind == "replace") {
            std::getline(words, text);
            verdict = Verdict::replace(text);
        } else if (kind == "reject") {
            std::int64_t retry_after_ms = 0;
            words >> text >> retry_after_ms;
            Error error{reason_from_text(text).value_or(Reason::blocked), {}, {}};
            if (retry_after_ms > 0) error.retry_after = std::chrono::milliseconds(retry_after_ms);
            verdict = Verdict::reject(error);
        } else if (kind == "pass") {
            verdict = Verdict::pass();
        }
        node_->tell(asked->shard, node::CheckDone{asked->what.room, asked->what.ticket, verdict});
        return true;
    }

    bool authorize(const std::string& kind, std::istringstream& words) {
        const auto asked = node_->take<node::Authorize>();
        if (!asked) return false;
        Result<Done> result = Done{};
        std::string reason;
        words >> reason;
        if (kind == "refuse") result = reason_from_text(reason).value_or(Reason::unauthorized);
        if (kind == "fail") result = Reason::adapter_error;
        node_->tell(
            asked->shard, node::Authorized{asked->what.connection, asked->what.request, result});
        return true;
    }

    bool act_on_log(const std::string& what, std::istringstream& words) {
        std::size_t count = 0;
        words >> count;
        if (what == "fails") {
            node_->fail_appends(count);
            return true;
        }
        for (; count > 0; --count) {
            const auto asked = node_->take<node::AppendLog>();
            if (!asked || !node_->store().append(std::array{asked->what.message})) return false;
            node_->tell(asked->shard, node::Committed{{asked->what.message}});
        }
        return what == "takes";
    }

    bool set_archive(bool works) {
        archive_works_ = works;
        return true;
    }

    bool restart() {
        clients_.clear();
        node_->restart();
        return true;
    }

    bool break_entropy() {
        node_->break_entropy(0);
        return true;
    }

    bool reset(const std::string& name) {
        node_->tell(0, node::ResetRoom{room_named(name)});
        return true;
    }

    bool show(const std::string& name) {
        node_->settle();
        const RoomId id = room_named(name);
        const engine::Room* room = node_->room(id);
        if (room == nullptr) {
            out_ += "  " + name + ": not in memory";
        } else {
            out_ += "  " + name + ": epoch " + to_text(room->epoch()) + ", head "
                    + std::to_string(room->head().value) + ", subscribers "
                    + std::to_string(room->subscriber_count()) + ", queue "
                    + std::to_string(room->queue_size());
        }
        out_ += "; logged " + std::to_string(node_->store().logged(id).size()) + ", archived "
                + std::to_string(node_->store().rows(id).size()) + ", given up "
                + std::to_string(node_->given_up().size()) + '\n';
        return true;
    }

    // What was said and what is asked, since the last report.
    void report() {
        node_->settle();
        for (const auto& [name, client] : clients_) {
            for (std::string frame : client->hear()) {
                names_.hide(frame, R"("id":")", 'm');
                names_.hide(frame, R"("reply_to":")", 'm');
                names_.hide(frame, R"("phx_ref":")", 'r');
                names_.hide(frame, R"("phx_ref_prev":")", 'r');
                out_.append("  ").append(name).append(" <- ").append(frame).append("\n");
            }
        }
        for (const std::string& question : node_->new_questions()) {
            out_.append("  ? ").append(question).append("\n");
        }
    }

    std::unique_ptr<LocalNode> node_;
    std::map<std::string, LocalClient*> clients_;
    Names names_;
    bool burst_ = false;
    bool archive_works_ = true;
    std::string out_;
};

}  // namespace

std::string play_scenario(std::string_view text) {
    return Player().play(text);
}

}  // namespace chatx::test
