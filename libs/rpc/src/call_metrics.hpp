#pragma once

#include "gantry/metrics/registry.hpp"

#include <grpcpp/support/server_interceptor.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace gantry::rpc {

/// Counts finished calls by method and code, and their latency by method. Thread-safe.
class CallMetrics {
public:
    explicit CallMetrics(metrics::Registry& registry) : registry_(&registry) {}

    /// `path` as on the wire: `/gantry.jobs.v1.JobService/Get`. Methods that are in no linked
    /// descriptor count as `unknown`, so that callers cannot make labels.
    void record(std::string_view path, int code, std::chrono::duration<double> took);

private:
    static constexpr std::size_t kCodes = 17;
    struct Method {
        std::string name;
        std::array<std::atomic<metrics::Counter*>, kCodes> by_code{};
        metrics::Histogram* latency = nullptr;
    };
    Method& find(std::string_view path);
    Method& add(std::string_view path);

    metrics::Registry* registry_;
    // Guarded by mutex_.
    std::shared_mutex mutex_;
    std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;
};

/// Makes an interceptor for each call that reports to `metrics`, which must outlive the server.
class CallMetricsFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
public:
    explicit CallMetricsFactory(CallMetrics& metrics) : metrics_(&metrics) {}
    grpc::experimental::Interceptor* CreateServerInterceptor(
        grpc::experimental::ServerRpcInfo* info) override;

private:
    CallMetrics* metrics_;
};

}  // namespace gantry::rpc
