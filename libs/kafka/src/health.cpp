#include "gantry/kafka/health.hpp"

#include <memory>

namespace gantry::kafka {
namespace {

constexpr milliseconds kTimeout{1'500};

}  // namespace

health::Check readiness_check(Admin& admin) {
    return {.name = "kafka",
            .run =
                [&admin, reached = std::make_shared<bool>(false)](std::stop_token) {
                    const auto answer = admin.ping(Deadline::after(kTimeout));
                    if (answer) {
                        *reached = true;
                        return health::CheckResult{};
                    }
                    return health::CheckResult{
                        *reached ? health::Status::degraded : health::Status::unhealthy,
                        "no broker answers: " + answer.error().reason};
                },
            .on_failure = health::Status::degraded,
            .readiness = true,
            .timeout = milliseconds{2'500},
            .period = milliseconds{2'000}};
}

}  // namespace gantry::kafka
