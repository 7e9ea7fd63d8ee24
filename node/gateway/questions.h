#pragma once

#include <chatx/time.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace chatx::node {

/// What the control loop asks other loops and threads, until it is answered or given up. An answer
/// that comes when nobody waits for it any more is dropped.
///
/// Lives on the control loop and outlives what it asks; the replies it hands out may be called by
/// any thread.
class Questions {
public:
    /// The way home of an answer.
    template <class Answer>
    using Reply = std::function<void(Answer)>;

    explicit Questions(boost::asio::io_context& io) : io_(io) {}

    Questions(const Questions&) = delete;
    Questions& operator=(const Questions&) = delete;
    ~Questions() = default;

    struct Terms {
        std::size_t count = 1;  // Answers to wait for.
        Duration wait;          // For all of them together.
    };

    /// Asks by calling `start`, and waits. Returns the answers that came in time, in the order in
    /// which they came; fewer than asked for when somebody did not answer.
    template <class Answer>
    boost::asio::awaitable<std::vector<Answer>> ask_all(
        Terms terms, std::function<void(Reply<Answer>)> start);

    /// One question, one answer, or nothing.
    template <class Answer>
    boost::asio::awaitable<std::optional<Answer>> ask(
        Duration wait, std::function<void(Reply<Answer>)> start);

private:
    /// A question that waits; `Open<Answer>` for the type of its answers.
    struct OpenBase {
        explicit OpenBase(boost::asio::io_context& io) : changed(io) {}

        boost::asio::steady_timer changed;
    };

    template <class Answer>
    struct Open : OpenBase {
        using OpenBase::OpenBase;
        std::vector<Answer> answers;
    };

    /// Keeps a question in the table for as long as its asker waits.
    class Entry {
    public:
        Entry(Questions& questions, OpenBase& open)
            : questions_(questions), id_(++questions.last_id_) {
            questions_.open_.emplace(id_, &open);
        }

        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        ~Entry() { questions_.open_.erase(id_); }

        [[nodiscard]] std::uint64_t id() const { return id_; }

    private:
        Questions& questions_;
        std::uint64_t id_;
    };

    template <class Answer>
    void answered(std::uint64_t id, Answer answer);

    boost::asio::io_context& io_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, OpenBase*> open_;
};

template <class Answer>
boost::asio::awaitable<std::vector<Answer>> Questions::ask_all(
    Terms terms, std::function<void(Reply<Answer>)> start) {
    Open<Answer> open(io_);
    const Entry entry(*this, open);
    open.changed.expires_after(terms.wait);
    start([this, id = entry.id()](Answer answer) {
        boost::asio::post(io_, [this, id, answer = std::move(answer)]() mutable {
            answered<Answer>(id, std::move(answer));
        });
    });
    while (open.answers.size() < terms.count) {
        const auto [cut_short] =
            co_await open.changed.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        if (!cut_short)
            break;  // Time is up. Else an answer came, or the asker is to end: the next wait
                    // throws.
    }
    co_return std::move(open.answers);
}

template <class Answer>
boost::asio::awaitable<std::optional<Answer>> Questions::ask(
    Duration wait, std::function<void(Reply<Answer>)> start) {
    auto answers = co_await ask_all<Answer>({.count = 1, .wait = wait}, std::move(start));
    if (answers.empty()) co_return std::nullopt;
    co_return std::optional<Answer>(std::move(answers.front()));
}

template <class Answer>
void Questions::answered(std::uint64_t id, Answer answer) {
    const auto found = open_.find(id);
    if (found == open_.end()) return;
    static_cast<Open<Answer>*>(found->second)->answers.push_back(std::move(answer));
    found->second->changed.cancel();
}

}  // namespace chatx::node
