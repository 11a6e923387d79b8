#include "gantry/hosting/lifetime.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>
#include <exception>

namespace gantry::hosting {

std::string error_kind(const Error& error) {
    return error.reason.empty() ? std::string(to_string(error.code)) : error.reason;
}

void Lifetime::stop(std::string cause) {
    {
        const std::lock_guard lock(mutex_);
        if (cause_.empty()) {
            cause_ = cause.empty() ? "requested" : std::move(cause);
        }
    }
    stop_.request_stop();
}

void Lifetime::fault(std::string name, Error error) {
    const std::string cause = "fault of `" + name + "`";
    {
        const std::lock_guard lock(mutex_);
        faults_.emplace_back(std::move(name), std::move(error));
    }
    stop(cause);
}

std::string Lifetime::cause() const {
    const std::lock_guard lock(mutex_);
    return cause_;
}

std::vector<std::pair<std::string, Error>> Lifetime::faults() const {
    const std::lock_guard lock(mutex_);
    return faults_;
}

void Lifetime::on(Phase phase, std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    callbacks_.emplace_back(phase, std::move(callback));
}

void Lifetime::enter(Phase phase) {
    if (phase <= phase_.load()) {
        return;
    }
    phase_.store(phase);
    std::vector<std::function<void()>> due;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [when, callback] : callbacks_) {
            if (when == phase) {
                due.push_back(callback);
            }
        }
    }
    // Outside the lock: a callback may ask this object anything.
    for (const auto& callback : due) {
        try {
            callback();
        } catch (const std::exception&) {
            logging::error("lifetime callback threw an exception");
        } catch (...) {
            logging::error("lifetime callback threw an exception");
        }
    }
}

std::vector<ServiceInfo> Lifetime::services() const {
    const std::lock_guard lock(mutex_);
    return services_;
}

void Lifetime::set_service(ServiceInfo service) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(services_, service.name, &ServiceInfo::name);
    if (known != services_.end()) {
        *known = std::move(service);
    } else {
        services_.push_back(std::move(service));
    }
}

void Lifetime::count_restart(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(services_, name, &ServiceInfo::name);
    if (known != services_.end()) {
        ++known->restarts;
    }
}

void Lifetime::record_error(std::string_view name, const Error& error, Instant at) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(services_, name, &ServiceInfo::name);
    if (known != services_.end()) {
        known->last_error = error_kind(error);
        known->last_error_at = at;
    }
}

}  // namespace gantry::hosting
