#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// W3C trace context (https://www.w3.org/TR/trace-context/), carried through every hop.
namespace gantry::tracing {

/// Which trace the current work belongs to. A value; default-constructed it is empty.
struct TraceContext {
    std::array<std::uint8_t, 16> trace_id{};
    std::array<std::uint8_t, 8> span_id{};
    std::uint8_t flags = 0;
    std::string state{};  ///< The `tracestate` of other systems, passed on as it came.

    [[nodiscard]] bool valid() const;
    /// Whether the trace is recorded, as its root decided.
    [[nodiscard]] bool sampled() const { return (flags & 1U) != 0; }
    [[nodiscard]] std::string trace_id_hex() const;
    [[nodiscard]] std::string span_id_hex() const;

    /// The `traceparent` header, empty if this is not valid.
    [[nodiscard]] std::string traceparent() const;

    /// A new span of the same trace, or a new trace if this is empty.
    [[nodiscard]] TraceContext child() const;
};

/// A new trace with random ids, sampled by the process's ratio.
TraceContext start_trace();

/// The share of new traces that are sampled, from 0 to 1; it is 1 until it is set. The decision
/// follows from the trace's id, so that it is the same wherever it is taken. Thread-safe.
void set_sampling_ratio(double ratio);

/// Reads a `traceparent` header; nothing if it is malformed.
std::optional<TraceContext> parse_traceparent(std::string_view header);

/// Reads both headers. As the specification says, a `tracestate` without a valid `traceparent`
/// counts for nothing, and a malformed or overlong one is left out.
std::optional<TraceContext> parse_trace(std::string_view traceparent, std::string_view tracestate);

/// The context of the calling thread; empty outside a `ScopedTrace`.
const TraceContext& current();

/// Makes `context` the calling thread's context while it lives. Logs show its ids.
class ScopedTrace {
public:
    explicit ScopedTrace(TraceContext context);
    ~ScopedTrace();
    ScopedTrace(const ScopedTrace&) = delete;
    ScopedTrace& operator=(const ScopedTrace&) = delete;

private:
    TraceContext previous_;
};

}  // namespace gantry::tracing
