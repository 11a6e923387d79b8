#include "gantry/hosting/scope.hpp"

#include "attempt.hpp"

namespace gantry::hosting {

Scope::Scope(Clock& clock, Options options)
    : clock_(clock),
      options_(std::move(options)),
      span_(options_.name, options_.kind, options_.trace),
      scoped_trace_(span_.context()) {}

Scope::~Scope() {
    rollback();
}

Result<void> Scope::run(const std::function<Result<void>(Scope&)>& body) {
    auto result = attempt(Thrown::by_work, [&]() -> Result<void> {
        TRY(body(*this));
        return commit();
    });
    if (!result) {
        rollback();
        span_.fail(result.error().code);
    }
    return result;
}

Result<void> Scope::check() const {
    if (options_.stop.stop_requested()) {
        return fail(Code::cancelled, "stopped");
    }
    if (options_.deadline.expired(clock_)) {
        return fail(Code::deadline_exceeded, "took longer than allowed");
    }
    return {};
}

void Scope::beat() const {
    if (options_.heartbeat) {
        options_.heartbeat->beat();
    }
}

Result<void> Scope::may_open() const {
    if (ended_) {
        return fail(Code::failed_precondition, "the scope has ended");
    }
    return {};
}

Result<void> Scope::commit() {
    ended_ = true;
    if (const auto unit = std::move(unit_)) {
        return unit->commit();
    }
    return {};
}

void Scope::rollback() noexcept {
    ended_ = true;
    if (const auto unit = std::move(unit_)) {
        unit->rollback();
    }
}

}  // namespace gantry::hosting
