#include "call_metrics.hpp"

#include "gantry/base/result.hpp"

#include <google/protobuf/descriptor.h>

#include <algorithm>

namespace gantry::rpc {
namespace {

bool is_known(std::string_view path) {
    std::string dotted(path.substr(std::min<std::size_t>(1, path.size())));
    std::replace(dotted.begin(), dotted.end(), '/', '.');
    return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(dotted) != nullptr;
}

std::string_view code_name(int code) {
    return code == 0 ? "OK" : to_string(static_cast<Code>(code));
}

class Interceptor final : public grpc::experimental::Interceptor {
public:
    Interceptor(CallMetrics& metrics, const char* method)
        : metrics_(&metrics), method_(method), start_(std::chrono::steady_clock::now()) {}

    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
        using Hook = grpc::experimental::InterceptionHookPoints;
        if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_STATUS)) {
            metrics_->record(method_, methods->GetSendStatus().error_code(),
                             std::chrono::steady_clock::now() - start_);
        }
        methods->Proceed();
    }

private:
    CallMetrics* metrics_;
    std::string method_;
    std::chrono::steady_clock::time_point start_;
};

}  // namespace

void CallMetrics::record(std::string_view path, int code, std::chrono::duration<double> took) {
    Method& method = find(path);
    const auto slot = code >= 0 && code < static_cast<int>(kCodes)
                          ? static_cast<std::size_t>(code)
                          : static_cast<std::size_t>(Code::unknown);
    auto* counter = method.by_code[slot].load(std::memory_order_acquire);
    if (counter == nullptr) {
        counter = &registry_->counter(
            "gantry_grpc_requests_total", "Finished gRPC calls by method and code.",
            {{"method", method.name}, {"code", std::string(code_name(static_cast<int>(slot)))}});
        method.by_code[slot].store(counter, std::memory_order_release);
    }
    counter->increment();
    method.latency->observe(took.count());
}

CallMetrics::Method& CallMetrics::find(std::string_view path) {
    {
        const std::shared_lock lock(mutex_);
        if (const auto found = methods_.find(path); found != methods_.end()) {
            return *found->second;
        }
    }
    return is_known(path) ? add(path) : add("/unknown");
}

CallMetrics::Method& CallMetrics::add(std::string_view path) {
    const std::unique_lock lock(mutex_);
    auto& method = methods_[std::string(path)];
    if (!method) {
        method = std::make_unique<Method>();
        method->name = path.substr(1);
        method->latency =
            &registry_->histogram("gantry_grpc_request_duration_seconds",
                                  "Time from a gRPC call's arrival to its answer, by method.",
                                  {{"method", method->name}});
    }
    return *method;
}

grpc::experimental::Interceptor* CallMetricsFactory::CreateServerInterceptor(
    grpc::experimental::ServerRpcInfo* info) {
    return new Interceptor(*metrics_, info->method());
}

}  // namespace gantry::rpc
