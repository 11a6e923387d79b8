#include "gantry/tracing/span.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace gantry::tracing {
namespace {

// The process's one sink, as logging has one. Never destroyed: spans end late.
struct Outlet {
    std::atomic<bool> open{false};
    std::mutex mutex;
    std::shared_ptr<SpanSink> sink;

    static Outlet& instance() {
        static Outlet* const outlet = new Outlet;
        return *outlet;
    }
    std::shared_ptr<SpanSink> get() {
        const std::lock_guard lock(mutex);
        return sink;
    }
    void put(std::shared_ptr<SpanSink> next) {
        const std::lock_guard lock(mutex);
        open = next != nullptr;
        sink = std::move(next);
    }
};

}  // namespace

Recording::Recording(std::shared_ptr<SpanSink> sink) {
    Outlet::instance().put(std::move(sink));
}
Recording::~Recording() {
    Outlet::instance().put(nullptr);
}

bool recording() {
    return Outlet::instance().open.load(std::memory_order_relaxed);
}

Span::Span(std::string_view name, SpanKind kind, const TraceContext& parent)
    : context_(parent.child()) {
    if (parent.valid()) {
        parent_id_ = parent.span_id;
    }
    begin(name, kind);
}

Span Span::of(std::string_view name, SpanKind kind, TraceContext own) {
    Span span;
    span.context_ = std::move(own);
    span.begin(name, kind);
    return span;
}

Span& Span::operator=(Span&& other) noexcept {
    end();
    context_ = std::move(other.context_);
    parent_id_ = other.parent_id_;
    began_ = other.began_;
    record_ = std::move(other.record_);
    return *this;
}

void Span::begin(std::string_view name, SpanKind kind) {
    if (!context_.sampled() || !context_.valid() || !recording()) {
        return;
    }
    began_ = system_clock().steady_now();
    record_ = std::make_unique<SpanRecord>();
    record_->name = name;
    record_->kind = kind;
    record_->start = system_clock().now();
}

void Span::rename(std::string_view name) {
    if (record_) {
        record_->name = name;
    }
}

void Span::set(std::string_view key, std::string_view value) {
    if (record_) {
        record_->attributes.push_back({std::string(key), std::string(value)});
    }
}

void Span::fail(Code code) {
    if (record_) {
        record_->error = to_string(code);
    }
}

void Span::started_at(Instant start) {
    if (record_) {
        record_->start = start;
        // So that the end, which is measured, still comes out at the time it is.
        began_ = system_clock().steady_now() -
                 std::chrono::duration_cast<SteadyTime::duration>(system_clock().now() - start);
    }
}

void Span::end() {
    if (record_) {
        const auto took = system_clock().steady_now() - began_;
        end_at(record_->start + std::chrono::duration_cast<Instant::duration>(took));
    }
}

void Span::end_at(Instant at) {
    const auto record = std::move(record_);
    if (!record) {
        return;
    }
    record->end = std::max(at, record->start);
    record->context = context_;
    record->parent_id = parent_id_;
    if (const auto sink = Outlet::instance().get()) {
        sink->take(std::move(*record));
    }
}

}  // namespace gantry::tracing
