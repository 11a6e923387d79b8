#include "reload.hpp"

#include "attempt.hpp"

#include "gantry/logging/log.hpp"

#include <utility>

namespace gantry::hosting {

void CommonOptions::bind(config::Binder& binder) {
    binder.add("log.level", log_level, "Least level that is logged.")
        .one_of({"debug", "info", "warning", "error"})
        .reloadable();
    binder.add("log.format", log_format, "How logs look; auto is text on a terminal, else json.")
        .one_of({"auto", "json", "text"});
    host.bind(binder);
}

Reloader::Reloader(const Program& program, Context& context, config::Sources sources,
                   const config::Binder& live)
    : program_(program),
      sources_(std::move(sources)),
      reporter_(context.health.reporter("config", false)),
      successes_(context.metrics.counter("gantry_config_reloads_total", "Reloads on SIGHUP.",
                                         {{"outcome", "success"}})),
      failures_(context.metrics.counter("gantry_config_reloads_total", "Reloads on SIGHUP.",
                                        {{"outcome", "refused"}})),
      values_(values_of(live)) {
    reporter_.report(health::Status::healthy, "loaded");
}

std::map<std::string, std::string> Reloader::values_of(const config::Binder& binder) {
    std::map<std::string, std::string> values;
    for (const auto& setting : binder.settings()) {
        values[setting->key] = setting->show();
    }
    return values;
}

void Reloader::reload() {
    if (!program_.bind_scratch) {
        logging::info("signal ignored: this program does not reload", {{"signal", "SIGHUP"}});
        return;
    }
    // The signal thread goes on whatever a program's validation throws.
    auto faults =
        attempt(Thrown::by_wiring, [&]() -> Result<std::vector<config::Fault>> { return take(); });
    if (!faults) {
        faults = {{"configuration", "reload", std::move(faults).error().message}};
    }
    if (!faults->empty()) {
        failures_.increment();
        reporter_.report(health::Status::degraded, "reload refused; the old values stay");
        for (const config::Fault& fault : *faults) {
            logging::error("reload refused", {{"fault", config::to_string(fault)}});
        }
        return;
    }
    logging::set_level(values_["log.level"]);
    successes_.increment();
    reporter_.report(health::Status::healthy, "loaded");
    logging::info("configuration reloaded");
}

std::vector<config::Fault> Reloader::take() {
    CommonOptions common;
    config::Binder binder;
    common.bind(binder);
    const Scratch scratch = program_.bind_scratch(binder);
    auto loaded = config::load(binder, sources_);
    for (const auto& more : {common.host.validate(), scratch.validate()}) {
        loaded.faults.insert(loaded.faults.end(), more.begin(), more.end());
    }
    if (!loaded.faults.empty()) {
        return std::move(loaded.faults);
    }
    for (const auto& setting : binder.settings()) {
        std::string& value = values_[setting->key];
        if (setting->show() == value) {
            continue;
        }
        if (setting->is_reloadable) {
            value = setting->show();
            logging::info("setting reloaded", {{"key", setting->key}});
        } else {
            logging::warning("changed setting waits for a restart", {{"key", setting->key}});
        }
    }
    return {};
}

}  // namespace gantry::hosting
