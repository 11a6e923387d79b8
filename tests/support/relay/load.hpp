#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace gantry::relay::testing {

/// How an application writes.
struct Pace {
    int writers = 1;                       ///< Sessions, each with keys of its own.
    std::chrono::microseconds pause{500};  ///< After each event.
    std::size_t most = std::numeric_limits<std::size_t>::max();  ///< Events in all.
};

/// Publishes numbered events, each in a transaction of its own, until stopped: what the judge calls
/// order is the order of commits. An event whose commit failed or was not answered is tried again.
class Load {
public:
    Load(const std::string& database_url, std::string topic, int keys = 5, Pace pace = {});
    /// Stops; how many events were committed.
    std::size_t stop();
    /// Waits until `most` events are committed; how many are.
    std::size_t finish();

    [[nodiscard]] std::size_t committed() const { return committed_.load(); }
    /// Why the first statement failed that did, on a connection that stayed good; empty if none.
    [[nodiscard]] std::string refused() const;

private:
    void write(const std::string& url, const std::string& name, const std::stop_token& stop);

    // Constant after construction.
    std::string topic_;
    std::size_t keys_;
    Pace pace_;
    // Self-synchronised.
    std::atomic<std::size_t> begun_{0};
    std::atomic<std::size_t> committed_{0};
    // Guarded by mutex_.
    mutable std::mutex mutex_;
    std::string refused_;
    // Last: they use the rest.
    std::vector<std::jthread> writers_;
};

}  // namespace gantry::relay::testing
