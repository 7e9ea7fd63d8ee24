#include "node/log.h"

#include "node/log_limiter.h"
#include "node/text.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

namespace chatx::node {

namespace {

// Fields with these names show no value; also with something in front, as in `auth_token` or
// `X-Api-Key`.
constexpr std::array<std::string_view, 5> secret_names{
    "token", "password", "apikey", "authorization", "secret"};

constexpr std::string_view plain_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-";

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            break;
    }
    return spdlog::level::err;
}

std::string pattern_of(LogFormat format) {
    if (format == LogFormat::json) return R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";
    return "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v";
}

spdlog::sink_ptr make_sink(const Logger::Options& options) {
    spdlog::sink_ptr sink;
    if (options.out != nullptr) {
        sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(*options.out, true);
    } else {
        sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    }
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        pattern_of(options.format), spdlog::pattern_time_type::utc, "\n"));
    return sink;
}

bool is_secret(std::string_view name) {
    std::string letters;
    for (const char character : name) {
        if (character >= 'A' && character <= 'Z') letters += static_cast<char>(character + 32);
        if (character >= 'a' && character <= 'z') letters += character;
    }
    return std::ranges::any_of(
        secret_names, [&](std::string_view secret) { return letters.ends_with(secret); });
}

std::string shown_text(std::string_view text, LogFormat format) {
    const bool plain =
        !text.empty() && text.find_first_not_of(plain_characters) == std::string_view::npos;
    const std::string shown = clipped(text, log_value_size_max);
    return plain && format == LogFormat::human ? shown : quoted(shown);
}

std::string shown_number(double value) {
    if (!std::isfinite(value)) return "null";  // JSON has no such numbers.
    return fmt::format("{}", value);
}

std::string shown_value(const LogField& field, LogFormat format) {
    if (is_secret(field.name)) return format == LogFormat::human ? "[redacted]" : R"("[redacted]")";
    return std::visit(
        [format](const auto& value) -> std::string {
            using T = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<T, std::string_view>) {
                return shown_text(value, format);
            } else if constexpr (std::is_same_v<T, bool>) {
                return value ? "true" : "false";
            } else if constexpr (std::is_same_v<T, double>) {
                return shown_number(value);
            } else {
                return std::to_string(value);
            }
        },
        field.value.get());
}

std::string human_line(std::string_view text, LogFields fields) {
    std::string line;
    append_escaped(line, text);
    for (const LogField& field : fields) {
        line += ' ';
        append_escaped(line, field.name);
        line += '=';
        line += shown_value(field, LogFormat::human);
    }
    return line;
}

std::string json_line(std::string_view text, LogFields fields) {
    std::string line = "\"message\":" + quoted(text);
    for (const LogField& field : fields) {
        line += ',';
        line += quoted(field.name);
        line += ':';
        line += shown_value(field, LogFormat::json);
    }
    return line;
}

}  // namespace

class Logger::Impl {
public:
    explicit Impl(Options options)
        : format_(options.format),
          now_(std::move(options.now)),
          level_(options.level),
          limiter_({.lines_per_second = options.lines_per_second}),
          logger_("chatx", make_sink(options)) {
        logger_.set_level(spdlog::level::trace);
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    ~Impl() { tell(limiter_.take_all_suppressed()); }

    void write(LogLevel level, const char* text, LogFields fields) {
        if (level < level_) return;
        const LogLimiter::Answer answer = limiter_.admit(text, now_());
        if (answer.before.lines > 0) tell(answer.before);
        if (answer.pass) put(level, text, fields);
    }

    void report_suppressed() { tell(limiter_.take_suppressed(now_())); }

private:
    void put(LogLevel level, std::string_view text, LogFields fields) {
        const std::string line =
            format_ == LogFormat::json ? json_line(text, fields) : human_line(text, fields);
        logger_.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
    }

    void tell(LogLimiter::Suppressed suppressed) {
        const char* text = suppressed.text == nullptr ? "others" : suppressed.text;
        put(LogLevel::warning, "lines suppressed", {{"text", text}, {"lines", suppressed.lines}});
    }

    void tell(const std::vector<LogLimiter::Suppressed>& all) {
        for (const LogLimiter::Suppressed& suppressed : all)
            tell(suppressed);
    }

    const LogFormat format_;
    const std::function<TimePoint()> now_;
    const LogLevel level_;
    LogLimiter limiter_;
    spdlog::logger logger_;
};

Logger::Logger(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Logger::~Logger() = default;

void Logger::write(LogLevel level, LogText text, LogFields fields) {
    impl_->write(level, text.text, fields);
}

void Logger::report_suppressed() {
    impl_->report_suppressed();
}

}  // namespace chatx::node
