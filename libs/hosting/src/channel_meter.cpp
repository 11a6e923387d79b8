#include "gantry/hosting/channel_meter.hpp"

#include <limits>
#include <mutex>
#include <utility>

namespace gantry::hosting {
namespace {

double seconds(std::chrono::nanoseconds duration) {
    return std::chrono::duration<double>(duration).count();
}

class ChannelMeter final : public channel::Meter {
public:
    ChannelMeter(metrics::Registry& metrics, const metrics::Labels& labels)
        : depth_gauge_(metrics.gauge("gantry_channel_depth", "Items in the channel.", labels)),
          capacity_gauge_(metrics.gauge("gantry_channel_capacity",
                                        "How many items the channel holds at most.", labels)),
          item_wait_(metrics.histogram(
              "gantry_channel_wait_seconds",
              "How long items were in the channel before one took them; a sample.", labels)),
          writer_wait_(metrics.histogram("gantry_channel_write_wait_seconds",
                                         "How long writes waited that found no room.", labels)),
          dropped_(metrics.counter("gantry_channel_dropped_total",
                                   "Items that the full channel dropped.", labels)) {}

    void attach(std::function<std::size_t()> depth, std::size_t capacity) override {
        const std::lock_guard lock(mutex_);
        depth_ = std::move(depth);
        capacity_gauge_.set(capacity == std::numeric_limits<std::size_t>::max()
                                ? std::numeric_limits<double>::infinity()
                                : static_cast<double>(capacity));
    }

    void detach() override {
        const std::lock_guard lock(mutex_);
        depth_ = nullptr;
        depth_gauge_.set(0);
    }

    void item_waited(std::chrono::nanoseconds duration) override {
        item_wait_.observe(seconds(duration));
    }
    void writer_waited(std::chrono::nanoseconds duration) override {
        writer_wait_.observe(seconds(duration));
    }
    void dropped() override { dropped_.increment(); }

    void refresh() {
        const std::lock_guard lock(mutex_);
        if (depth_) {
            depth_gauge_.set(static_cast<double>(depth_()));
        }
    }

private:
    metrics::Gauge& depth_gauge_;
    metrics::Gauge& capacity_gauge_;
    metrics::Histogram& item_wait_;
    metrics::Histogram& writer_wait_;
    metrics::Counter& dropped_;
    // Guarded by mutex_, also while it is called: the channel is there until `detach` returns.
    std::mutex mutex_;
    std::function<std::size_t()> depth_;
};

}  // namespace

std::shared_ptr<channel::Meter> channel_meter(metrics::Registry& metrics, std::string channel) {
    const metrics::Labels labels{{"channel", std::move(channel)}};
    auto meter = std::make_shared<ChannelMeter>(metrics, labels);
    metrics.on_scrape(meter, [raw = meter.get()] { raw->refresh(); });
    return meter;
}

}  // namespace gantry::hosting
