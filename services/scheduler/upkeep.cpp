#include "upkeep.hpp"

#include "gantry/logging/log.hpp"

#include <algorithm>

namespace gantry::scheduler {
namespace {

constexpr milliseconds kLimit{30'000};

Result<void> apply(Store& store, std::string_view owner, const std::vector<Definition>& definitions,
                   Deadline deadline) {
    for (const auto& one : TRY(store.apply(owner, definitions, deadline))) {
        if (one.action == "kept") {
            logging::warning("schedule left as it is: another owner has its name",
                             {{"schedule", one.name}, {"owner", owner}});
        } else if (one.action != "unchanged") {
            logging::info("schedule " + one.action, {{"schedule", one.name}, {"owner", owner}});
        }
    }
    return {};
}

}  // namespace

Result<void> apply_schedules(const Options& options, Store& store, Deadline deadline) {
    // The file first: what it gives up of the built-in names comes back below.
    if (!options.schedules_file.empty()) {
        TRY(apply(store, "file", options.file_schedules, deadline));
    }
    auto builtin = builtin_schedules();
    std::erase_if(builtin, [&](const Definition& one) {
        return std::ranges::any_of(options.file_schedules, [&](const Definition& of_file) {
            return of_file.name == one.name;
        });
    });
    return apply(store, "builtin", builtin, deadline);
}

Upkeep::Upkeep(const scheduler::Options& options, Store& store, hosting::Context& context)
    : PollingWorker("schedules", context,
                    {.interval = options.upkeep_interval,
                     .backoff = {.base = milliseconds{200}, .cap = milliseconds{5'000}}}),
      options_(options),
      store_(store) {}

Upkeep::~Upkeep() {
    join();
}

Result<Upkeep::Next> Upkeep::run_once(std::stop_token /*stop*/) {
    if (!applied_) {
        TRY(apply_schedules(options_, store_, Deadline::after(kLimit, context().clock)));
        applied_ = true;
    }
    TRY(store_.maintain(Deadline::after(kLimit, context().clock)));
    return Next::wait;
}

}  // namespace gantry::scheduler
