#include "node/gateway/admin_letters.h"

#include "node/gateway/query_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace chatx::node {

namespace json = proto::json;

namespace {

constexpr std::size_t page_default = 100;
constexpr std::size_t page_max =
    dead_letter_page_max - 1;  // One more tells whether there are more.

/// Each letter costs the writer two fsyncs, and senders wait behind it: so few at once.
constexpr std::size_t letters_at_once = 10;

/// Several turns of the writer, each behind what it has to do for senders.
constexpr auto replay_wait = std::chrono::seconds(10);

const Refusal no_store{404, "not_found", "This node keeps memory only and has no dead letters."};

struct Page {
    Result<std::vector<DeadLetter>> letters;
    Result<std::size_t> total;
};

std::string text_of(const Error& error) {
    return refusal_of(error).message;
}

void replay_one(
    DeadLetters& letters, Persistence& archive, const DeadLetter& letter, Replayed& replayed) {
    replayed.last = std::max(replayed.last, letter.id);
    if (letter.target != engine::DeliveryTarget::persistence) {
        replayed.failed.push_back({letter.id, "This node has no notifier."});
        return;
    }
    auto outcome = archive.save(std::vector{letter.message});
    if (outcome) outcome = letters.remove(letter.id);
    if (outcome) {
        ++replayed.done;
    } else {
        replayed.failed.push_back({letter.id, text_of(outcome.error())});
    }
}

void add(Replayed& total, Replayed part) {
    total.done += part.done;
    total.failed.insert(total.failed.end(), part.failed.begin(), part.failed.end());
    total.missing.insert(total.missing.end(), part.missing.begin(), part.missing.end());
    total.last = part.last;
}

std::optional<std::uint64_t> id_of(const json::Value& value) {
    const std::string* text = value.as_string();
    if (text == nullptr) return value.as_uint64();
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), id);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return id;
}

void write_replayed(json::Writer& writer, const Replayed& replayed, bool more) {
    number_member(writer, "replayed", replayed.done);
    writer.key("failed");
    writer.begin_array();
    for (const auto& [id, error] : replayed.failed) {
        writer.begin_object();
        text_member(writer, "id", std::to_string(id));
        text_member(writer, "error", error);
        writer.end_object();
    }
    writer.end_array();
    writer.key("missing");
    writer.begin_array();
    for (const std::uint64_t id : replayed.missing)
        writer.string(std::to_string(id));
    writer.end_array();
    writer.key("next");
    if (more) {
        writer.string(std::to_string(replayed.last));
    } else {
        writer.null();
    }
}

}  // namespace

Replayed replay(DeadLetters& letters, Persistence& archive, const std::vector<std::uint64_t>& ids) {
    Replayed replayed;
    for (const std::uint64_t id : ids) {
        const auto letter = letters.find(id);
        if (!letter) {
            replayed.failed.push_back({id, text_of(letter.error())});
        } else if (!*letter) {
            replayed.missing.push_back(id);
        } else {
            replay_one(letters, archive, **letter, replayed);
        }
    }
    return replayed;
}

Replayed replay_after(
    DeadLetters& letters, Persistence& archive, std::uint64_t after, std::size_t limit) {
    Replayed replayed;
    const auto page = letters.list(after, limit);
    if (!page) {
        replayed.failed.push_back({after, text_of(page.error())});
        return replayed;
    }
    for (const DeadLetter& letter : *page)
        replay_one(letters, archive, letter, replayed);
    return replayed;
}

AdminLetters::Answer AdminLetters::list(HttpRequest request, std::string /*body*/) {
    QueryReader query(request);
    const auto after = query.number("after", {});
    const auto limit =
        query.number("limit", {.fallback = page_default, .least = 1, .most = page_max});
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    if (!context_.store) co_return refused(no_store);

    const auto page =
        co_await context_.questions.ask<Page>(admin_wait, [&](const Questions::Reply<Page>& reply) {
            DeadLetters& letters = context_.store->letters;
            context_.store->worker.on_reader([&letters, reply, after, limit] {
                reply({letters.list(after, limit + 1), letters.count()});
            });
        });
    if (!page) co_return refused(timed_out("The store"));
    if (!page->letters) co_return refused(refusal_of(page->letters.error()));
    if (!page->total) co_return refused(refusal_of(page->total.error()));
    co_return admin_answer("chatx.dead-letters.v1", context_.all(), [&](json::Writer& writer) {
        const auto& letters = *page->letters;
        const std::size_t count = std::min<std::size_t>(letters.size(), limit);
        number_member(writer, "total", *page->total);
        writer.key("dead_letters");
        writer.begin_array();
        for (std::size_t i = 0; i < count; ++i)
            write_letter(writer, letters[i]);
        writer.end_array();
        writer.key("next");
        if (letters.size() > count) {
            writer.string(std::to_string(letters[count - 1].id));
        } else {
            writer.null();
        }
    });
}

AdminLetters::Answer AdminLetters::replay(HttpRequest request, std::string body) {
    QueryReader query(request);
    if (const auto refusal = query.refusal()) co_return refused(*refusal);
    if (!context_.store) co_return refused(no_store);
    auto read = read_wanted(body);
    if (const auto* refusal = std::get_if<Refusal>(&read)) co_return refused(*refusal);
    auto wanted = std::get<Wanted>(std::move(read));

    Replayed total;
    bool more = true;
    for (std::size_t begun = 0; more && begun < replay_letters_max; begun += letters_at_once) {
        const std::size_t count = std::min(wanted.ids.size(), letters_at_once);
        const std::vector<std::uint64_t> ids(
            wanted.ids.begin(), wanted.ids.begin() + static_cast<std::ptrdiff_t>(count));
        wanted.ids.erase(
            wanted.ids.begin(), wanted.ids.begin() + static_cast<std::ptrdiff_t>(count));
        auto part = co_await context_.questions.ask<Replayed>(
            replay_wait, [&](const Questions::Reply<Replayed>& reply) {
                AdminStore store = *context_.store;
                store.worker.on_writer([store, reply, ids, all = wanted.all, after = wanted.after] {
                    reply(
                        all ? replay_after(store.letters, store.archive, after, letters_at_once)
                            : node::replay(store.letters, store.archive, ids));
                });
            });
        if (!part) co_return refused(timed_out("The store"));
        wanted.after = part->last;
        more = wanted.all ? part->last != 0 : !wanted.ids.empty();
        if (part->last == 0) part->last = total.last;
        add(total, *std::move(part));
    }
    co_return admin_answer(
        "chatx.dead-letters-replayed.v1", context_.all(), [&](json::Writer& writer) {
            write_replayed(writer, total, more && wanted.all);
        });
}

std::variant<AdminLetters::Wanted, Refusal> AdminLetters::read_wanted(std::string_view body) {
    const auto parsed = parser_.parse(body);
    const auto* value = std::get_if<json::Value>(&parsed);
    const Refusal wrong{400, "bad_request", R"(The body must be {"ids":[...]} or {"all":true}.)"};
    if (value == nullptr) return wrong;
    Wanted wanted;
    const json::Value* all = value->find("all");
    wanted.all = all != nullptr && all->as_bool().value_or(false);
    if (const json::Value* after = value->find("after")) wanted.after = id_of(*after).value_or(0);
    const json::Value* ids = value->find("ids");
    const auto* items = ids == nullptr ? nullptr : ids->as_array();
    if (wanted.all) return wanted;
    if (items == nullptr || items->empty()) return wrong;
    if (items->size() > replay_letters_max) {
        return Refusal{
            400,
            "bad_request",
            "At most " + std::to_string(replay_letters_max) + " letters at once."};
    }
    for (const json::Value& item : *items) {
        const auto id = id_of(item);
        if (!id) return wrong;
        wanted.ids.push_back(*id);
    }
    return wanted;
}

HttpAnswer AdminLetters::refused(const Refusal& refusal) const {
    return admin_refusal(refusal, {context_.node, refusal.status != 504});
}

}  // namespace chatx::node
