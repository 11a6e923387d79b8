#include "reload.hpp"

#include "attempt.hpp"

#include "gantry/logging/log.hpp"

#include <utility>

namespace gantry::hosting {
namespace {

constexpr std::string_view kReloads = "gantry_config_reloads_total";
constexpr std::string_view kReloadsHelp = "Reloads of the configuration.";

}  // namespace

void CommonOptions::bind(config::Binder& binder) {
    binder.add("log.level", log_level, "Least level that is logged.")
        .one_of({"debug", "info", "warning", "error"})
        .reloadable();
    binder.add("log.format", log_format, "How logs look; auto is text on a terminal, else json.")
        .one_of({"auto", "json", "text"});
    binder
        .add("config.watch_interval", watch_interval,
             "How often the configuration's files are looked at for changes; 0: on SIGHUP only.")
        .range(0, 3'600'000);
    host.bind(binder);
}

Reloader::Reloader(const Program& program, Context& context, config::Sources sources,
                   const config::Binder& live, const config::Loaded& loaded)
    : program_(program),
      sources_(std::move(sources)),
      files_(loaded.files),
      reporter_(context.health.reporter("config", false)),
      successes_(context.metrics.counter(kReloads, kReloadsHelp, {{"outcome", "success"}})),
      failures_(context.metrics.counter(kReloads, kReloadsHelp, {{"outcome", "refused"}})),
      values_(values_of(live)),
      read_(loaded.state) {
    reporter_.report(health::Status::healthy, "loaded");
}

std::map<std::string, std::string> Reloader::values_of(const config::Binder& binder) {
    std::map<std::string, std::string> values;
    for (const auto& setting : binder.settings()) {
        values[setting->key] = setting->show();
    }
    return values;
}

void Reloader::look() {
    if (!program_.bind_scratch) {
        return;
    }
    auto now = config::state_of(files_);
    if (now == read_) {
        changed_.clear();
    } else if (now != changed_) {
        changed_ = std::move(now);
    } else {
        logging::info("the configuration's files have changed");
        reload();
    }
}

void Reloader::reload() {
    if (!program_.bind_scratch) {
        logging::info("signal ignored: this program does not reload", {{"signal", "SIGHUP"}});
        return;
    }
    // Before they are read: a change that comes while they are shows in the next look.
    read_ = config::state_of(files_);
    changed_.clear();
    // The caller's thread goes on whatever a program's validation throws.
    auto faults =
        attempt(Thrown::by_wiring, [&]() -> Result<std::vector<config::Fault>> { return take(); });
    if (!faults) {
        faults = {{"configuration", "reload", std::move(faults).error().message}};
    }
    if (!faults->empty()) {
        refuse(*faults);
        return;
    }
    logging::set_level(values_["log.level"]);
    successes_.increment();
    reporter_.report(health::Status::healthy,
                     waiting_.empty() ? "loaded" : "loaded; waits for a restart: " + waiting_);
    logging::info("configuration reloaded");
}

void Reloader::refuse(const std::vector<config::Fault>& faults) {
    failures_.increment();
    reporter_.report(health::Status::degraded, "reload refused; the old values stay");
    for (const config::Fault& fault : faults) {
        logging::error("reload refused", {{"fault", config::to_string(fault)}});
    }
}

std::vector<config::Fault> Reloader::take() {
    CommonOptions common;
    config::Binder binder;
    common.bind(binder);
    const Scratch scratch = program_.bind_scratch(binder);
    auto loaded = config::load(binder, sources_);
    const auto validate = [&] {
        config::add_faults(loaded, common.host.validate());
        config::add_faults(loaded, scratch.validate());
    };
    validate();
    if (!loaded.faults.empty()) {
        return std::move(loaded.faults);
    }

    // What is to hold from now on: the new values of reloadable settings, the old ones of the rest.
    std::vector<std::string> changed;
    std::string waiting;
    for (const auto& setting : binder.settings()) {
        const std::string& old = values_[setting->key];
        if (setting->show() == old) {
            continue;
        }
        if (setting->is_reloadable) {
            changed.push_back(setting->key);
            continue;
        }
        waiting += (waiting.empty() ? "" : ", ") + setting->key;
        if (auto kept = setting->assign(old); !kept) {
            return {{setting->key, "reload", "its old value cannot be kept"}};
        }
        logging::warning("changed setting waits for a restart", {{"key", setting->key}});
    }
    if (!waiting.empty()) {
        validate();
        for (config::Fault& fault : loaded.faults) {
            fault.problem += " (together with settings that wait for a restart)";
        }
        if (!loaded.faults.empty()) {
            return std::move(loaded.faults);
        }
    }
    waiting_ = std::move(waiting);
    values_ = values_of(binder);
    if (scratch.accept) {
        scratch.accept();
    }
    for (const std::string& key : changed) {
        logging::info("setting reloaded", {{"key", key}});
    }
    return {};
}

}  // namespace gantry::hosting
