#pragma once

#include <chatx/ids.h>
#include <chatx/message.h>
#include <chatx/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The doors of the engine: what a program plugs in. An adapter may block, throw or answer
/// nonsense: calls run on worker threads, never on a room's loop, and every failure is contained,
/// counted and answered by a stated rule. An adapter is called by several threads at once unless
/// its comment says otherwise. It outlives the engine it serves.
namespace chatx {

/// Which messages of a room to read. Without `after_id`, `after` and `before`: the latest.
struct HistoryRange {
    std::optional<MessageId> after_id;  // Messages that follow this one; wins over `after`.
    std::optional<Seq> after;           // Messages with a larger seq, oldest first.
    std::optional<Seq> before;          // Messages with a smaller seq; alone: the latest of them.
    std::uint32_t limit = 50;           // At most `history_page_max`.

    bool operator==(const HistoryRange&) const = default;
};

/// Most messages in one page of history.
inline constexpr std::uint32_t history_page_max = 200;

/// A stretch of a room's order.
struct HistoryPage {
    std::vector<MessagePtr> messages;  // In order of seq.
    bool more = false;                 // There are further messages in the direction that was read.
    bool anchor_known =
        true;  // False when `after_id` names no message here; then `messages` is empty.
    std::optional<Seq>
        anchor;  // The place of `after_id`. Without it a hole right behind it goes unnoticed.
};

/// Keeps history: the archive. Writes are keyed by (room, epoch, seq) and by id: saving a message
/// twice is no error and makes one row. Called by one thread at a time for `save`, by any for
/// `load`.
class Persistence {
public:
    Persistence() = default;
    Persistence(const Persistence&) = delete;
    Persistence& operator=(const Persistence&) = delete;
    virtual ~Persistence() = default;

    /// Stores all messages of the batch or none. On an error the batch is tried again later, whole.
    virtual Result<Done> save(std::span<const MessagePtr> batch) = 0;

    /// Reads a page. A room never heard of has an empty page.
    virtual Result<HistoryPage> load(const RoomId& room, const HistoryRange& range) = 0;
};

/// Tells users who are not connected that something was said. At least once: the id tells
/// repetitions.
class Notifier {
public:
    Notifier() = default;
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;
    virtual ~Notifier() = default;

    virtual Result<Done> notify(const UserId& user, const Message& message) = 0;
};

/// What a check says of a message on its way in.
struct Verdict {
    enum class Kind : std::uint8_t { pass, reject, replace };

    Kind kind = Kind::pass;
    Error error;          // With `reject`.
    std::string content;  // With `replace`: what is stored in place of the sender's content;
                          // validated again.

    static Verdict pass() { return {}; }

    static Verdict reject(Error error) { return {Kind::reject, std::move(error), {}}; }

    static Verdict replace(std::string content) { return {Kind::replace, {}, std::move(content)}; }

    bool operator==(const Verdict&) const = default;
};

/// A message before it has a place: what a check gets to see.
struct Draft {
    RoomId room;
    UserId user;
    std::string content;
    std::string client_id;
    std::optional<MessageId> reply_to;
};

/// Decides whether a message may be said. Answers within 1 s or counts as failed; failing rejects
/// the message with `adapter_error`, unless `moderation_failure = "open"`.
class Moderation {
public:
    Moderation() = default;
    Moderation(const Moderation&) = delete;
    Moderation& operator=(const Moderation&) = delete;
    virtual ~Moderation() = default;

    virtual Verdict check(const Draft& draft) = 0;
};

/// What a user wants to do in a room.
enum class AuthAction : std::uint8_t { join, subscribe, send };

/// The name of an action: `join`, `subscribe` or `send`.
std::string_view to_text(AuthAction action);

/// Decides who may do what. Answers within 1 s or counts as failed; failing refuses with
/// `adapter_error`, always.
class Auth {
public:
    Auth() = default;
    Auth(const Auth&) = delete;
    Auth& operator=(const Auth&) = delete;
    virtual ~Auth() = default;

    /// `Done`, or the reason why not (usually `unauthorized`).
    virtual Result<Done> authorize(const UserId& user, const RoomId& room, AuthAction action) = 0;
};

/// A step of its own in the chain that every message passes, named in `middlewares`. Same rules as
/// Moderation: 1 s, failing rejects with `adapter_error`.
class Middleware {
public:
    Middleware() = default;
    Middleware(const Middleware&) = delete;
    Middleware& operator=(const Middleware&) = delete;
    virtual ~Middleware() = default;

    /// The name the configuration uses: lower-case letters, digits and underscores.
    [[nodiscard]] virtual std::string_view name() const = 0;

    virtual Verdict handle(const Draft& draft) = 0;
};

/// The adapters that decide, as a program hands them to a node. Where one is null, nobody is asked:
/// everybody may do everything, everything may be said. All of them outlive the node.
struct Adapters {
    Auth* auth = nullptr;
    Moderation* moderation = nullptr;
    std::vector<Middleware*> middlewares;  // None is null; run where `middlewares` names them.
};

}  // namespace chatx
