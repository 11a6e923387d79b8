#include "serving.hpp"

#include <utility>

namespace gantry::rpc {

Serving::Serving(hosting::Context& context, grpc::HealthCheckServiceInterface& health,
                 std::vector<std::string> services)
    : context_(context), health_(&health), services_(std::move(services)) {
    services_.emplace_back();  // the server as a whole
}

std::shared_ptr<Serving> Serving::follow(hosting::Context& context,
                                         grpc::HealthCheckServiceInterface& health,
                                         std::vector<std::string> services) {
    const std::shared_ptr<Serving> self(new Serving(context, health, std::move(services)));
    // The registry and the lifetime outlive the server, hence the weak references.
    const auto update = [weak = std::weak_ptr(self)] {
        if (const auto serving = weak.lock()) {
            serving->update();
        }
    };
    context.health.on_ready_change([update](bool) { update(); });
    context.lifetime.on(hosting::Phase::started, update);
    context.lifetime.on(hosting::Phase::stopping, update);
    self->update();
    return self;
}

void Serving::update() {
    const std::lock_guard lock(mutex_);
    if (health_ == nullptr) {
        return;
    }
    const bool serving =
        context_.lifetime.phase() == hosting::Phase::started && context_.health.ready();
    for (const std::string& service : services_) {
        health_->SetServingStatus(service, serving);
    }
}

void Serving::detach() {
    const std::lock_guard lock(mutex_);
    if (health_ != nullptr) {
        for (const std::string& service : services_) {
            health_->SetServingStatus(service, false);
        }
        health_ = nullptr;
    }
}

}  // namespace gantry::rpc
