#include "gantry/tracing/trace.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/ensure.hpp"

#include <sys/random.h>
#include <algorithm>
#include <atomic>
#include <span>
#include <utility>

namespace gantry::tracing {
namespace {

thread_local TraceContext current_trace;

// Of the lowest 56 bits of a trace's id, which the specification wants to be random.
constexpr std::uint64_t kRandomRange = std::uint64_t{1} << 56U;
std::atomic<std::uint64_t> sampled_below{kRandomRange};

bool sampled_by_ratio(const std::array<std::uint8_t, 16>& trace_id) {
    std::uint64_t random = 0;
    for (std::size_t i = 9; i < trace_id.size(); ++i) {
        random = random << 8U | trace_id[i];
    }
    return random < sampled_below.load(std::memory_order_relaxed);
}

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

// A member's key: lower-case words, after `tenant@` perhaps.
bool valid_state_key(std::string_view key) {
    constexpr std::size_t kLongest = 256;
    if (key.empty() || key.size() > kLongest || std::ranges::count(key, '@') > 1 ||
        key.front() == '@' || key.back() == '@') {
        return false;
    }
    const auto lower_or_digit = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    return lower_or_digit(key.front()) && std::ranges::all_of(key, [&](char c) {
               return lower_or_digit(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
           });
}

bool valid_state_value(std::string_view value) {
    constexpr std::size_t kLongest = 256;
    return !value.empty() && value.size() <= kLongest && value.back() != ' ' &&
           std::ranges::all_of(value,
                               [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view without_blanks(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? std::string_view()
               : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Whether a `tracestate` may be passed on: at most 32 members `key=value`, and the 512 characters
// that everybody has to keep.
bool valid_tracestate(std::string_view text) {
    constexpr std::size_t kLongest = 512;
    constexpr int kMostMembers = 32;
    if (text.empty() || text.size() > kLongest) {
        return false;
    }
    int members = 0;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto member = without_blanks(text.substr(0, comma));
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        if (member.empty()) {
            continue;
        }
        const auto equals = member.find('=');
        if (equals == std::string_view::npos || !valid_state_key(member.substr(0, equals)) ||
            !valid_state_value(member.substr(equals + 1)) || ++members > kMostMembers) {
            return false;
        }
    }
    return members > 0;
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
    trace.flags = sampled_by_ratio(trace.trace_id) ? 1 : 0;
    return trace;
}

void set_sampling_ratio(double ratio) {
    const double share = std::clamp(ratio, 0.0, 1.0);
    sampled_below = static_cast<std::uint64_t>(share * static_cast<double>(kRandomRange));
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

std::optional<TraceContext> parse_trace(std::string_view traceparent, std::string_view tracestate) {
    auto context = parse_traceparent(traceparent);
    if (context && valid_tracestate(tracestate)) {
        context->state = tracestate;
    }
    return context;
}

const TraceContext& current() {
    return current_trace;
}

ScopedTrace::ScopedTrace(TraceContext context)
    : previous_(std::exchange(current_trace, std::move(context))) {}
ScopedTrace::~ScopedTrace() {
    current_trace = std::move(previous_);
}

}  // namespace gantry::tracing
