#include "gantry/tracing/trace.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/ensure.hpp"

#include <sys/random.h>
#include <algorithm>
#include <span>

namespace gantry::tracing {
namespace {

thread_local TraceContext current_trace;

template <std::size_t N>
bool all_zero(const std::array<std::uint8_t, N>& bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

template <std::size_t N>
std::string hex(const std::array<std::uint8_t, N>& bytes) {
    std::string raw(bytes.begin(), bytes.end());
    return hex_encode(raw);
}

// Fills `bytes` so that they are not all zero, which would be invalid.
template <std::size_t N>
void fill_random(std::array<std::uint8_t, N>& bytes) {
    do {
        // Fewer than 256 bytes are never cut short once the kernel's pool is up.
        ENSURE(getrandom(bytes.data(), N, 0) == static_cast<ssize_t>(N), "getrandom failed");
    } while (all_zero(bytes));
}

// The specification allows lower-case hexadecimal digits only.
bool lower_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void read_hex(std::string_view text, std::span<std::uint8_t> bytes) {
    const std::string raw = hex_decode(text).value_or(std::string(bytes.size(), '\0'));
    std::ranges::copy(raw, bytes.begin());
}

}  // namespace

bool TraceContext::valid() const {
    return !all_zero(trace_id) && !all_zero(span_id);
}

std::string TraceContext::trace_id_hex() const {
    return hex(trace_id);
}
std::string TraceContext::span_id_hex() const {
    return hex(span_id);
}

std::string TraceContext::traceparent() const {
    if (!valid()) {
        return {};
    }
    return "00-" + trace_id_hex() + "-" + span_id_hex() + "-" + hex(std::array{flags});
}

TraceContext TraceContext::child() const {
    if (!valid()) {
        return start_trace();
    }
    TraceContext span = *this;
    fill_random(span.span_id);
    return span;
}

TraceContext start_trace() {
    TraceContext trace;
    fill_random(trace.trace_id);
    fill_random(trace.span_id);
    trace.flags = 1;
    return trace;
}

std::optional<TraceContext> parse_traceparent(std::string_view header) {
    // version "-" trace-id "-" parent-id "-" flags; a later version may append "-…".
    constexpr std::size_t kLength = 55;
    if (header.size() < kLength || header[2] != '-' || header[35] != '-' || header[52] != '-') {
        return std::nullopt;
    }
    const std::string_view version = header.substr(0, 2);
    const std::string_view trace_id = header.substr(3, 32);
    const std::string_view span_id = header.substr(36, 16);
    const std::string_view flags = header.substr(53, 2);
    if (!lower_hex(version) || !lower_hex(trace_id) || !lower_hex(span_id) || !lower_hex(flags) ||
        version == "ff") {
        return std::nullopt;
    }
    const bool longer = header.size() > kLength;
    if (longer && (version == "00" || header[kLength] != '-')) {
        return std::nullopt;
    }
    TraceContext context;
    read_hex(trace_id, context.trace_id);
    read_hex(span_id, context.span_id);
    read_hex(flags, std::span(&context.flags, 1));
    // Version 00 defines the sampled flag only; the others must not be passed on.
    context.flags &= 1U;
    if (!context.valid()) {
        return std::nullopt;
    }
    return context;
}

const TraceContext& current() {
    return current_trace;
}

ScopedTrace::ScopedTrace(TraceContext context) : previous_(current_trace) {
    current_trace = context;
}
ScopedTrace::~ScopedTrace() {
    current_trace = previous_;
}

}  // namespace gantry::tracing
