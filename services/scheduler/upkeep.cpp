#include "upkeep.hpp"

#include "gantry/logging/log.hpp"
#include "schedules_file.hpp"

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

/// What the file says now; nothing if there is no file.
Result<std::optional<std::vector<Definition>>> file_schedules(const std::string& path) {
    if (path.empty()) {
        return std::nullopt;
    }
    auto file = read_schedules(path);
    if (!file.faults.empty()) {
        const auto& first = file.faults.front();
        return fail(Code::failed_precondition, first.source + ": " + first.problem,
                    "SCHEDULES_FILE");
    }
    return std::move(file.definitions);
}

}  // namespace

Result<void> apply_schedules(Store& store, const std::optional<std::vector<Definition>>& file,
                             Deadline deadline) {
    // The file first: what it gives up of the built-in names comes back below.
    if (file) {
        TRY(apply(store, "file", *file, deadline));
    }
    auto builtin = builtin_schedules();
    std::erase_if(builtin, [&](const Definition& one) {
        return file && std::ranges::any_of(*file, [&](const Definition& of_file) {
                   return of_file.name == one.name;
               });
    });
    return apply(store, "builtin", builtin, deadline);
}

Upkeep::Upkeep(const config::Live<scheduler::Options>& live, Store& store,
               hosting::Context& context)
    : PollingWorker("schedules", context,
                    {.interval = [&live] { return live.get()->upkeep_interval; },
                     .backoff = {.base = milliseconds{200}, .cap = milliseconds{5'000}}}),
      live_(live),
      store_(store),
      reloads_(live.on_change([this](const scheduler::Options&) { wake(); })) {}

Upkeep::~Upkeep() {
    join();
}

Result<Upkeep::Next> Upkeep::run_once(std::stop_token /*stop*/) {
    const auto limit = Deadline::after(kLimit, context().clock);
    TRY(store_.maintain(limit));
    const auto file = TRY(file_schedules(live_.get()->schedules_file));
    auto now = to_json(file.value_or(std::vector<Definition>{}));
    if (applied_ != now) {
        TRY(apply_schedules(store_, file, limit));
        applied_ = std::move(now);
    }
    return Next::wait;
}

}  // namespace gantry::scheduler
