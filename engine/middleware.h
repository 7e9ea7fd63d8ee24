#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chatx::engine {

/// One step that every message passes.
struct Stage {
    enum class Kind : std::uint8_t {
        auth,        // The auth adapter is asked whether the user may send.
        rate_limit,  // The room's own; needs no adapter.
        moderation,  // The moderation adapter.
        custom,      // A Middleware of the program that has this name.
    };

    Kind kind = Kind::custom;
    std::string name;

    /// Whether the driver of the room runs it (`CheckDraft`), as opposed to the room.
    [[nodiscard]] bool external() const { return kind != Kind::rate_limit; }

    /// The label of its events: `auth`, `rate_limit`, `moderation` or `middleware`.
    [[nodiscard]] std::string_view label() const;

    bool operator==(const Stage&) const = default;
};

/// The stages in the order of the configuration, the same for all rooms of a node. An empty one
/// lets everything pass. A value; never changes while a room uses it.
class Chain {
public:
    struct Plan {
        std::vector<std::string> names = {"auth", "rate_limit", "moderation"};
        std::vector<std::string> custom;  // Names of the middlewares that the program brings.
        bool auth = true;                 // False where everybody may send: its stage is left out.
        bool moderation = true;           // False where there is none: likewise.
    };

    Chain() = default;

    /// The chain, or what is wrong with the names: one sentence for the operator. A name must be
    /// known and may come once; the names of custom middlewares are lower-case letters, digits and
    /// underscores and hide no built-in one.
    static std::variant<Chain, std::string> build(const Plan& plan);

    [[nodiscard]] std::size_t size() const { return stages_.size(); }

    /// The stage at a place below `size()`.
    [[nodiscard]] const Stage& at(std::size_t index) const { return stages_.at(index); }

    [[nodiscard]] const std::vector<Stage>& stages() const { return stages_; }

private:
    std::vector<Stage> stages_;
};

}  // namespace chatx::engine
