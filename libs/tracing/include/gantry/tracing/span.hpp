#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "gantry/tracing/trace.hpp"

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// Spans: what took how long in a trace. Nothing is kept of them unless somebody records them.
namespace gantry::tracing {

/// Who a span's work was for. The values are those of OpenTelemetry's protocol.
enum class SpanKind : std::uint8_t { internal = 1, server, client, producer, consumer };

/// What is told of a span beside its name. No payloads, no personal data: ids, types, codes.
struct Attribute {
    std::string key;
    std::variant<std::string, std::int64_t, double, bool> value;
};

/// A span that has ended.
struct SpanRecord {
    TraceContext context;
    std::array<std::uint8_t, 8> parent_id{};  ///< Zero for the root of a trace.
    std::string name;
    SpanKind kind = SpanKind::internal;
    Instant start;
    Instant end;
    std::vector<Attribute> attributes;
    std::string error;  ///< The code of its failure; empty if it did not fail.
};

/// Where the process's spans go.
class SpanSink {
public:
    virtual ~SpanSink() = default;
    /// Takes a span, on the thread that ended it; from any thread. Neither blocks nor throws.
    virtual void take(SpanRecord span) noexcept = 0;
};

/// Sends the process's sampled spans to `sink` while it lives; one at a time. A span that ends on
/// another thread meanwhile may still reach the sink, which is kept for as long.
class Recording {
public:
    explicit Recording(std::shared_ptr<SpanSink> sink);
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
};

/// Whether spans go anywhere; else making one costs its ids only.
[[nodiscard]] bool recording();

/// A piece of work in a trace, from its construction to its end. For one thread at a time.
///
/// ```
/// tracing::Span span("JobService/Enqueue", tracing::SpanKind::server, caller);
/// const tracing::ScopedTrace scope(span.context());
/// ```
class Span {
public:
    /// A child of `parent`, or the root of a new trace if that is empty.
    Span(std::string_view name, SpanKind kind, const TraceContext& parent = current());

    /// The span that `own` already names, because its ids went out before it was made.
    static Span of(std::string_view name, SpanKind kind, TraceContext own);

    Span(Span&&) noexcept = default;
    Span& operator=(Span&& other) noexcept;
    ~Span() { end(); }

    /// What its children and the logs of its work carry.
    [[nodiscard]] const TraceContext& context() const { return context_; }
    /// Whether anything told to it is kept.
    [[nodiscard]] bool recorded() const { return record_ != nullptr; }

    void rename(std::string_view name);
    void set(std::string_view key, std::string_view value);
    void set(std::string_view key, const char* value) { set(key, std::string_view(value)); }
    void set(std::string_view key, std::same_as<bool> auto value) { put(key, value); }
    void set(std::string_view key, std::integral auto value)
        requires(!std::same_as<decltype(value), bool>)
    {
        put(key, static_cast<std::int64_t>(value));
    }
    void set(std::string_view key, std::floating_point auto value) {
        put(key, static_cast<double>(value));
    }
    /// Marks it as failed.
    void fail(Code code);

    /// Says that the work began at another time than the span was made.
    void started_at(Instant start);

    /// Ends it, once; the destructor does it otherwise.
    void end();
    /// Ends it without telling anybody: the work did not begin after all.
    void drop() { record_.reset(); }
    /// Ends it at a time that has been.
    void end_at(Instant at);

private:
    Span() = default;
    template <class Value>
    void put(std::string_view key, Value value) {
        if (record_) {
            record_->attributes.push_back({std::string(key), value});
        }
    }
    void begin(std::string_view name, SpanKind kind);

    TraceContext context_;
    std::array<std::uint8_t, 8> parent_id_{};
    SteadyTime began_{};
    std::unique_ptr<SpanRecord> record_;  // none if nobody records it, or after its end
};

}  // namespace gantry::tracing
