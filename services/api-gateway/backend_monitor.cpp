#include "backend_monitor.hpp"

#include "gantry/logging/log.hpp"

#include "grpc/health/v1/health.grpc.pb.h"

#include <algorithm>
#include <latch>
#include <string>
#include <utility>

namespace gantry::gateway {
namespace {

namespace hv1 = grpc::health::v1;

constexpr std::chrono::milliseconds kAnswerWithin{1'000};

struct Question {
    std::unique_ptr<hv1::Health::Stub> stub;
    grpc::ClientContext context;
    hv1::HealthCheckRequest request;
    hv1::HealthCheckResponse answer;
    grpc::Status status;
};

BackendState state_of(const Question& question) {
    if (question.status.ok()) {
        return question.answer.status() == hv1::HealthCheckResponse::SERVING
                   ? BackendState::serving
                   : BackendState::not_serving;
    }
    return BackendState::unreachable;
}

}  // namespace

BackendMonitor::BackendMonitor(hosting::Context& context, Backends& backends,
                               hosting::Interval interval)
    : BackgroundService("backend-monitor", context),
      backends_(backends),
      interval_(std::move(interval)) {
    for (std::size_t i = 0; i < kBackendCount; ++i) {
        const bool readiness = static_cast<BackendId>(i) == BackendId::queue_worker;
        reporters_[i] = &context.health.reporter(std::string(kBackendNames[i]), readiness);
        if (!readiness) {
            reporters_[i]->report(health::Status::degraded, "not asked yet");
        }
    }
}

BackendMonitor::~BackendMonitor() {
    join();
}

Result<void> BackendMonitor::execute(std::stop_token stop) {
    while (!stop.stop_requested()) {
        const bool all_serve = ask_all();
        beat();
        context().clock.sleep_for(interval_.now() / (all_serve ? 1 : 4), stop);
    }
    return {};
}

bool BackendMonitor::ask_all() {
    std::array<Question, kBackendCount> questions;
    std::latch answered(kBackendCount);
    for (std::size_t i = 0; i < kBackendCount; ++i) {
        Question& question = questions[i];
        question.stub = hv1::Health::NewStub(backends_.all()[i]->channel());
        question.context.set_deadline(std::chrono::system_clock::now() + kAnswerWithin);
        question.stub->async()->Check(&question.context, &question.request, &question.answer,
                                      [&question, &answered](const grpc::Status& status) {
                                          question.status = status;
                                          answered.count_down();
                                      });
    }
    answered.wait();
    bool all_serve = true;
    for (std::size_t i = 0; i < kBackendCount; ++i) {
        Backend& backend = *backends_.all()[i];
        const BackendState state = state_of(questions[i]);
        if (backend.seen().state != state) {
            logging::info("backend changed",
                          {{"backend", backend.name()}, {"state", to_string(state)}});
        }
        backend.saw(state, context().clock.now());
        const bool serves = state == BackendState::serving;
        all_serve = all_serve && serves;
        if (static_cast<BackendId>(i) == BackendId::queue_worker) {
            found_queue_worker_ = found_queue_worker_ || serves;
            if (!found_queue_worker_) {
                reporters_[i]->report(health::Status::unhealthy, std::string(to_string(state)));
                continue;
            }
        }
        reporters_[i]->report(serves ? health::Status::healthy : health::Status::degraded,
                              serves ? std::string() : std::string(to_string(state)));
    }
    return all_serve;
}

}  // namespace gantry::gateway
