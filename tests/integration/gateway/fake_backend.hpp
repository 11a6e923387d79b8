#pragma once

#include "process.hpp"

#include "gantry/jobs/v1/jobs.grpc.pb.h"
#include "gantry/orders/v1/orders.grpc.pb.h"
#include "gantry/rpc/server.hpp"
#include "gantry/rpc/unary.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace gantry::testing {

namespace jv1 = gantry::jobs::v1;
namespace ov1 = gantry::orders::v1;

/// What the fake services saw and how they shall answer. Thread-safe.
struct Script {
    /// Fails every call with this, if set.
    std::optional<Error> failure;
    std::atomic<int> calls{0};
    std::atomic<int> waiting{0};    ///< Calls of type `test.hang` that are inside.
    std::atomic<int> cancelled{0};  ///< Those whose stop token fired.
    std::mutex mutex;
    jv1::EnqueueRequest last_enqueue;
    jv1::ListJobsRequest last_list;
    std::string last_traceparent;
    std::multimap<std::string, std::string> last_metadata;
    milliseconds last_deadline{0};

    void see(const grpc::CallbackServerContext& context, const rpc::Call& call) {
        ++calls;
        const std::lock_guard lock(mutex);
        last_traceparent = call.trace.traceparent();
        last_deadline = call.deadline.remaining();
        last_metadata.clear();
        for (const auto& [key, value] : context.client_metadata()) {
            last_metadata.emplace(std::string(key.data(), key.size()),
                                  std::string(value.data(), value.size()));
        }
    }
};

class FakeJobs final : public jv1::JobService::CallbackService {
public:
    FakeJobs(rpc::Executor& executor, Script& script) : executor_(executor), script_(script) {}

    grpc::ServerUnaryReactor* Enqueue(grpc::CallbackServerContext* context,
                                      const jv1::EnqueueRequest* request,
                                      jv1::Job* response) override {
        return rpc::unary(executor_, context, request, response,
                          [this, context](const rpc::Call& call,
                                          const jv1::EnqueueRequest& job) -> Result<jv1::Job> {
                              if (job.type() == "test.hang") {
                                  return hang(call);
                              }
                              script_.see(*context, call);
                              const std::lock_guard lock(script_.mutex);
                              if (script_.failure) {
                                  return std::unexpected(*script_.failure);
                              }
                              script_.last_enqueue = job;
                              jv1::Job out;
                              out.set_id("job-1");
                              out.set_queue(job.queue());
                              out.set_type(job.type());
                              out.set_payload(job.payload());
                              out.set_state(jv1::QUEUED);
                              out.set_dispatch(9007199254740993);
                              return out;
                          });
    }

    grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                  const jv1::GetJobRequest* request, jv1::Job* response) override {
        return rpc::unary(
            executor_, context, request, response,
            [this, context](const rpc::Call& call,
                            const jv1::GetJobRequest& get) -> Result<jv1::Job> {
                if (get.id() == "hang") {
                    return hang(call);
                }
                script_.see(*context, call);
                const std::lock_guard lock(script_.mutex);
                if (script_.failure) {
                    return std::unexpected(*script_.failure);
                }
                if (get.id() == "none") {
                    return fail(Code::not_found, "There is no such job.", "JOB_NOT_FOUND");
                }
                jv1::Job out;
                out.set_id(get.id());
                out.set_result(std::string(get.id() == "large" ? 1024 * 1024 : 3, 'r'));
                return out;
            });
    }

    grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                   const jv1::ListJobsRequest* request,
                                   jv1::ListJobsResponse* response) override {
        return rpc::unary(
            executor_, context, request, response,
            [this, context](const rpc::Call& call,
                            const jv1::ListJobsRequest& list) -> Result<jv1::ListJobsResponse> {
                script_.see(*context, call);
                const std::lock_guard lock(script_.mutex);
                script_.last_list = list;
                return jv1::ListJobsResponse{};
            });
    }

private:
    Result<jv1::Job> hang(const rpc::Call& call) {
        std::mutex mutex;
        std::condition_variable_any signal;
        std::unique_lock lock(mutex);
        ++script_.waiting;
        signal.wait_for(lock, call.stop, call.deadline.remaining(), [] { return false; });
        if (call.stop.stop_requested()) {
            ++script_.cancelled;
        }
        --script_.waiting;
        return fail(Code::cancelled, "left");
    }

    rpc::Executor& executor_;
    Script& script_;
};

class FakeOrders final : public ov1::OrderService::CallbackService {
public:
    FakeOrders(rpc::Executor& executor, Script& script) : executor_(executor), script_(script) {}

    grpc::ServerUnaryReactor* CreateOrder(grpc::CallbackServerContext* context,
                                          const ov1::CreateOrderRequest* request,
                                          ov1::Order* response) override {
        return rpc::unary(
            executor_, context, request, response,
            [this](const rpc::Call&, const ov1::CreateOrderRequest& order) -> Result<ov1::Order> {
                ++script_.calls;
                if (order.number() == "taken") {
                    return std::unexpected(Error{Code::already_exists,
                                                 "The number is taken.",
                                                 "ORDER_EXISTS",
                                                 {{"gantry.orders.v1.Order", "order-0"}}});
                }
                ov1::Order out;
                out.set_id("order-1");
                out.set_number(order.number());
                *out.mutable_items() = order.items();
                out.set_status(ov1::PENDING);
                out.mutable_created_at()->set_seconds(1769824800);
                return out;
            });
    }

    grpc::ServerUnaryReactor* ProcessOrder(grpc::CallbackServerContext* context,
                                           const ov1::ProcessOrderRequest* request,
                                           ov1::ProcessOrderResponse* response) override {
        return rpc::unary(
            executor_, context, request, response,
            [this](const rpc::Call&,
                   const ov1::ProcessOrderRequest& order) -> Result<ov1::ProcessOrderResponse> {
                ++script_.calls;
                ov1::ProcessOrderResponse out;
                out.set_message("Order processing queued.");
                out.mutable_job()->set_id("job-of-" + order.id());
                return out;
            });
    }

private:
    rpc::Executor& executor_;
    Script& script_;
};

/// queue-worker, as far as the gateway can tell.
class FakeBackend {
public:
    explicit FakeBackend(Script& script, std::string listen = "127.0.0.1:0") : process_("fake") {
        rpc::ServerOptions options;
        options.listen = std::move(listen);
        server_ = std::make_unique<rpc::Server>(options, process_.context);
        server_->add(std::make_unique<FakeJobs>(server_->executor(), script));
        server_->add(std::make_unique<FakeOrders>(server_->executor(), script));
        const auto started = server_->start({});
        EXPECT_TRUE(started) << (started ? "" : started.error().message);
        process_.started();
    }
    ~FakeBackend() { EXPECT_TRUE(server_->stop(Deadline::after(limit_))); }

    [[nodiscard]] std::string address() const { return server_->address(); }
    Process& process() { return process_; }

    /// How long its stop may take: short for one that shall break its calls.
    void stop_within(milliseconds limit) { limit_ = limit; }

private:
    Process process_;
    std::unique_ptr<rpc::Server> server_;
    milliseconds limit_{5'000};
};

}  // namespace gantry::testing
