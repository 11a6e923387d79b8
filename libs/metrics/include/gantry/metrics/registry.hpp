#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::metrics {

using Labels = std::map<std::string, std::string>;

/// A value that only rises. Thread-safe, wait-free for callers.
class Counter {
public:
    virtual ~Counter() = default;
    virtual void increment(double by = 1.0) = 0;
    [[nodiscard]] virtual double value() const = 0;
};

/// A value that rises and falls. Thread-safe, wait-free for callers.
class Gauge {
public:
    virtual ~Gauge() = default;
    virtual void set(double value) = 0;
    virtual void add(double by) = 0;
    [[nodiscard]] virtual double value() const = 0;
};

/// A distribution in fixed buckets. Thread-safe; each observation takes a short lock.
class Histogram {
public:
    virtual ~Histogram() = default;
    virtual void observe(double value) = 0;
};

/// Buckets in seconds for what takes between half a millisecond and a minute.
std::vector<double> latency_buckets();

/// The metrics of one process, named `gantry_<area>_<what>_<unit>`. Thread-safe.
///
/// The same name and labels give the same metric. References live as long as the registry. Labels
/// must be bounded: queue, type, topic, method, code; never ids. Register at start-up and keep the
/// reference: the look-up takes a lock.
class Registry {
public:
    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {},
                         std::vector<double> buckets = latency_buckets());

    /// Calls `refresh` at the start of every `text()`, to set gauges that are cheap to read late.
    void on_scrape(std::function<void()> refresh);
    /// The same, only while `owner` lives; it is kept alive during the call.
    void on_scrape(std::weak_ptr<const void> owner, std::function<void()> refresh);

    /// Everything in Prometheus' text format 0.0.4.
    [[nodiscard]] std::string text() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Adds process metrics (resident memory, CPU, file descriptors, threads, start time) and
/// `gantry_build_info{version,service}`.
void add_process_metrics(Registry& registry, std::string_view service, std::string_view version);

}  // namespace gantry::metrics
