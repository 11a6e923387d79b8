#include "gantry/metrics/registry.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <mutex>
#include <optional>

namespace gantry::metrics {
namespace {

class PrometheusCounter final : public Counter {
public:
    explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
    void increment(double by) override { counter_.Increment(by); }
    [[nodiscard]] double value() const override { return counter_.Value(); }

private:
    prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
public:
    explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
    void set(double value) override { gauge_.Set(value); }
    void add(double by) override { gauge_.Increment(by); }
    [[nodiscard]] double value() const override { return gauge_.Value(); }

private:
    prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public Histogram {
public:
    explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
    void observe(double value) override { histogram_.Observe(value); }

private:
    prometheus::Histogram& histogram_;
};

// Our face for each of the library's metrics, at a fixed address.
template <class Ours>
using Faces = std::map<const void*, std::unique_ptr<Ours>>;

template <class Face, class Ours, class Theirs>
Ours& face_of(Faces<Ours>& faces, Theirs& metric) {
    auto& face = faces[&metric];
    if (!face) {
        face = std::make_unique<Face>(metric);
    }
    return *face;
}

}  // namespace

std::vector<double> latency_buckets() {
    return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

class Registry::Impl {
public:
    prometheus::Registry registry;
    // Guarded by mutex.
    std::mutex mutex;
    Faces<Counter> counters;
    Faces<Gauge> gauges;
    Faces<Histogram> histograms;
    struct Refresher {
        std::optional<std::weak_ptr<const void>> owner;  // none: the registry's own life
        std::function<void()> run;
    };
    std::vector<Refresher> refreshers;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock(impl_->mutex);
    auto& family = prometheus::BuildCounter()
                       .Name(std::string(name))
                       .Help(std::string(help))
                       .Register(impl_->registry);
    return face_of<PrometheusCounter>(impl_->counters, family.Add(labels));
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock(impl_->mutex);
    auto& family = prometheus::BuildGauge()
                       .Name(std::string(name))
                       .Help(std::string(help))
                       .Register(impl_->registry);
    return face_of<PrometheusGauge>(impl_->gauges, family.Add(labels));
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, const Labels& labels,
                               std::vector<double> buckets) {
    const std::lock_guard lock(impl_->mutex);
    auto& family = prometheus::BuildHistogram()
                       .Name(std::string(name))
                       .Help(std::string(help))
                       .Register(impl_->registry);
    return face_of<PrometheusHistogram>(impl_->histograms, family.Add(labels, std::move(buckets)));
}

void Registry::on_scrape(std::function<void()> refresh) {
    const std::lock_guard lock(impl_->mutex);
    impl_->refreshers.push_back({std::nullopt, std::move(refresh)});
}

void Registry::on_scrape(std::weak_ptr<const void> owner, std::function<void()> refresh) {
    const std::lock_guard lock(impl_->mutex);
    impl_->refreshers.push_back({std::move(owner), std::move(refresh)});
}

std::string Registry::text() const {
    std::vector<Impl::Refresher> refreshers;
    {
        const std::lock_guard lock(impl_->mutex);
        std::erase_if(impl_->refreshers, [](const Impl::Refresher& refresher) {
            return refresher.owner && refresher.owner->expired();
        });
        refreshers = impl_->refreshers;
    }
    // Outside the lock: a refresher may look metrics up.
    for (const auto& refresher : refreshers) {
        const auto owner = refresher.owner ? refresher.owner->lock() : nullptr;
        if (!refresher.owner || owner) {
            refresher.run();
        }
    }
    return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace gantry::metrics
