#pragma once

#include "gantry/hosting/hosted_service.hpp"

#include <functional>
#include <utility>

namespace gantry::hosting {

/// A service whose start and stop do as the test says.
class Scripted final : public HostedService {
public:
    using Start = std::function<Result<void>(std::stop_token)>;
    using Stop = std::function<Result<void>(Deadline)>;
    Scripted(Start start, Stop stop) : start_(std::move(start)), stop_(std::move(stop)) {}
    Result<void> start(std::stop_token aborted) override { return start_(aborted); }
    Result<void> stop(Deadline limit) override { return stop_(limit); }

private:
    Start start_;
    Stop stop_;
};

}  // namespace gantry::hosting
