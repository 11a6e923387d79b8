#include "maintenance.hpp"

namespace gantry::mllp {
namespace {

constexpr std::int64_t kSlice = 10'000;

}  // namespace

Result<Maintenance::Next> Maintenance::run_once(std::stop_token /*stop*/) {
    const auto options = options_now_();
    const auto purged = TRY(pool_->exec(Deadline::after(std::chrono::seconds{30}),
                                        "SELECT gantry.hl7_maintain($1, $2)",
                                        {options.retention, options.dedup_window}));
    return purged.front().get<std::int64_t>(0) >= kSlice ? Next::again : Next::wait;
}

}  // namespace gantry::mllp
