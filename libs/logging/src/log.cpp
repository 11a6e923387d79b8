#include "line.hpp"

#include "gantry/tracing/trace.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>
#include <atomic>
#include <mutex>

namespace gantry::logging {
namespace {

// The process's one sink. It is never destroyed, so that a destructor that runs late may still log.
class Sink {
public:
    static Sink& instance() {
        static Sink* const sink = new Sink;
        return *sink;
    }

    void configure(const Options& options) {
        const std::lock_guard lock(mutex_);
        service_ = options.service;
        text_ =
            options.format == "text" || (options.format == "auto" && isatty(STDOUT_FILENO) == 1);
    }

    [[nodiscard]] bool enabled(Level level) const {
        return level >= level_.load(std::memory_order_relaxed);
    }
    void set_level(Level level) { level_.store(level, std::memory_order_relaxed); }

    void write(Level level, std::string_view message, Fields fields, const Error* failure) {
        if (!enabled(level)) {
            return;
        }
        Line line{.level = level,
                  .at = std::chrono::system_clock::now(),
                  .service = {},
                  .message = message,
                  .trace_id = {},
                  .span_id = {},
                  .fields = fields,
                  .failure = failure};
        std::string trace_id;
        std::string span_id;
        if (const tracing::TraceContext& trace = tracing::current(); trace.valid()) {
            trace_id = trace.trace_id_hex();
            span_id = trace.span_id_hex();
            line.trace_id = trace_id;
            line.span_id = span_id;
        }
        std::string service;
        bool text = false;
        {
            const std::lock_guard lock(mutex_);
            service = service_;
            text = text_;
        }
        line.service = service;
        const std::string json = text && captured_ == nullptr ? std::string() : to_json(line);
        const std::string out = text ? to_text(line) : json;
        // The level is ours alone: spdlog's logger passes everything on.
        logger_.log(spdlog::level::info, spdlog::string_view_t(out.data(), out.size()));
        const std::lock_guard lock(mutex_);
        if (captured_ != nullptr) {
            captured_.load()->append(json).append("\n");
        }
    }

    void capture(std::string* into) {
        const std::lock_guard lock(mutex_);
        captured_ = into;
    }
    std::string captured() {
        const std::lock_guard lock(mutex_);
        return captured_ == nullptr ? std::string() : *captured_.load();
    }

private:
    Sink() : logger_("gantry", std::make_shared<spdlog::sinks::stdout_sink_mt>()) {
        logger_.set_pattern("%v");
    }

    // Self-synchronised.
    spdlog::logger logger_;
    std::atomic<Level> level_{Level::info};
    // Guarded by mutex_; the pointer may be looked at without it.
    std::mutex mutex_;
    std::string service_;
    bool text_ = false;
    std::atomic<std::string*> captured_{nullptr};
};

Level parse_level(std::string_view name) {
    for (const Level level : {Level::debug, Level::info, Level::warning, Level::error}) {
        if (name == to_string(level)) {
            return level;
        }
    }
    return Level::info;
}

}  // namespace

void configure(const Options& options) {
    Sink::instance().configure(options);
    set_level(options.level);
}

void set_level(Level level) {
    Sink::instance().set_level(level);
}
void set_level(std::string_view name) {
    set_level(parse_level(name));
}
bool enabled(Level level) {
    return Sink::instance().enabled(level);
}

void write(Level level, std::string_view message, Fields fields) {
    Sink::instance().write(level, message, fields, nullptr);
}

void error(std::string_view message, const Error& failure, Fields fields) {
    Sink::instance().write(Level::error, message, fields, &failure);
}

void warning(std::string_view message, const Error& failure, Fields fields) {
    Sink::instance().write(Level::warning, message, fields, &failure);
}

Capture::Capture() : text_(std::make_unique<std::string>()) {
    Sink::instance().capture(text_.get());
}
Capture::~Capture() {
    Sink::instance().capture(nullptr);
}
std::string Capture::text() const {
    return Sink::instance().captured();
}

}  // namespace gantry::logging
