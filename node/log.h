#pragma once

#include <chatx/time.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace chatx::node {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// How a line looks.
/// human: `2025-03-01T12:00:00.000Z info    closed code=1001`
/// json: `{"time":"2025-03-01T12:00:00.000Z","level":"info","message":"closed","code":1001}`
enum class LogFormat : std::uint8_t { human, json };

/// What a line says, such as `connection closed`. A literal, always: what users send goes into
/// fields.
struct LogText {
    // NOLINTNEXTLINE(google-explicit-constructor): `log.info("started")`
    consteval LogText(const char* literal) : text(literal) {}

    const char* text;
};

/// The value of a field. Holds a view: it lives as long as the call it is an argument of.
class LogValue {
public:
    using Variant = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view>;

    // NOLINTBEGIN(google-explicit-constructor): `{"code", 1001}` is a field.
    template <std::integral T>
    LogValue(T value) : value_(widened(value)) {}

    LogValue(double value) : value_(value) {}

    LogValue(const char* text) : value_(std::string_view(text)) {}

    LogValue(std::string_view text) : value_(text) {}

    LogValue(const std::string& text) : value_(std::string_view(text)) {}

    // NOLINTEND(google-explicit-constructor)

    [[nodiscard]] const Variant& get() const { return value_; }

private:
    template <std::integral T>
    static Variant widened(T value) {
        if constexpr (std::same_as<T, bool>) {
            return value;
        } else if constexpr (std::signed_integral<T>) {
            return static_cast<std::int64_t>(value);
        } else {
            return static_cast<std::uint64_t>(value);
        }
    }

    Variant value_;
};

struct LogField {
    std::string_view name;  // Lower case with underscores; `time`, `level` and `message` are taken.
    LogValue value;
};

using LogFields = std::initializer_list<LogField>;

/// Longest text a field shows, in bytes; what is cut shows as `...`.
inline constexpr std::size_t log_value_size_max = 256;

/// The log of a node: one line for each event, to standard error.
///
/// Whatever fields hold, a line stays one line: texts are escaped and clipped. Fields whose name
/// ends in token, password, apikey, authorization or secret show `[redacted]`. Of one text at most
/// `lines_per_second` lines are written; then one line says how many were suppressed, when the text
/// comes up again or by `report_suppressed`.
///
/// Any thread may log. A line is out before the call returns, so a reader of standard error that
/// stalls stalls the caller; nothing is lost in a crash.
class Logger {
public:
    struct Options {
        LogLevel level = LogLevel::info;  // Lines below are dropped.
        LogFormat format = LogFormat::human;
        std::uint32_t lines_per_second = 10;
        std::function<TimePoint()> now;  // For the limit alone. Called by every thread that logs.
        std::ostream* out = nullptr;     // In place of standard error. Outlives the log.
    };

    explicit Logger(Options options);
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;
    ~Logger();

    void debug(LogText text, LogFields fields = {}) { write(LogLevel::debug, text, fields); }

    void info(LogText text, LogFields fields = {}) { write(LogLevel::info, text, fields); }

    void warning(LogText text, LogFields fields = {}) { write(LogLevel::warning, text, fields); }

    void error(LogText text, LogFields fields = {}) { write(LogLevel::error, text, fields); }

    void write(LogLevel level, LogText text, LogFields fields);

    /// Tells of suppressed lines whose text has not come up since. To be called now and then, such
    /// as each second.
    void report_suppressed();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace chatx::node
