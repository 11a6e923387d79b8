#include "pages.hpp"

#include "gantry/base/time.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

namespace gantry::admin {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kServicePrefix = "service:";

Answer json(int status, const Json& body) {
    // Malformed UTF-8 in a detail must not make the page throw.
    return {status,
            "application/json",
            body.dump(2, ' ', false, Json::error_handler_t::replace) + "\n",
            {}};
}

// Names, without reasons: probes may be reachable from where operators are not.
Answer verdict(bool good, std::string_view words, const std::vector<std::string>& names) {
    Answer out;
    out.status = good ? 200 : 503;
    out.body = words;
    for (const std::string& name : names) {
        out.body += (&name == &names.front() ? ": " : ", ") + name;
    }
    out.body += '\n';
    return out;
}

Answer livez(const hosting::Context& context) {
    const auto stalled = context.watchdog.stalled();
    return verdict(stalled.empty(), stalled.empty() ? "alive" : "stalled", stalled);
}

Answer startupz(const hosting::Context& context) {
    const bool started = context.lifetime.phase() >= hosting::Phase::started;
    return verdict(started, started ? "started" : "starting", {});
}

Answer readyz(const hosting::Context& context) {
    if (context.lifetime.stopping().stop_requested()) {
        return verdict(false, "stopping", {});
    }
    if (context.lifetime.phase() != hosting::Phase::started) {
        return verdict(false, "starting", {});
    }
    std::vector<std::string> unready;
    for (const auto& check : context.health.snapshot()) {
        if (check.readiness && check.status == health::Status::unhealthy) {
            unready.push_back(check.name);
        }
    }
    return verdict(unready.empty(), unready.empty() ? "ready" : "unready", unready);
}

std::string_view phase_name(const hosting::Context& context) {
    if (context.lifetime.stopping().stop_requested() &&
        context.lifetime.phase() < hosting::Phase::stopped) {
        return "stopping";
    }
    constexpr std::array<std::string_view, 5> kNames = {"created", "starting", "started",
                                                        "stopping", "stopped"};
    return kNames[static_cast<std::size_t>(context.lifetime.phase())];
}

Json last_error(std::string_view kind, Instant at) {
    return Json{{"kind", kind}, {"at", format_rfc3339(at)}};
}

Json describe(const health::Snapshot& check) {
    return Json{{"status", health::to_string(check.status)},
                {"since", format_rfc3339(check.since)},
                {"checked", format_rfc3339(check.checked)},
                {"durationMs", check.duration.count()},
                {"detail", check.detail}};
}

Answer health_page(const hosting::Context& context) {
    std::map<std::string, hosting::ServiceInfo> known;
    for (auto& service : context.lifetime.services()) {
        known.emplace(service.name, service);
    }
    auto worst = health::Status::healthy;
    Json checks = Json::array();
    Json services = Json::array();
    for (const auto& snapshot : context.health.snapshot()) {
        worst = std::max(worst, snapshot.status);
        Json one = {{"name", snapshot.name}};
        one.update(describe(snapshot));
        if (snapshot.name.starts_with(kServicePrefix)) {
            const std::string name = snapshot.name.substr(kServicePrefix.size());
            one["name"] = name;
            const hosting::ServiceInfo& info = known[name];
            one["restarts"] = info.restarts;
            if (!info.last_error.empty()) {
                one["lastError"] = last_error(info.last_error, info.last_error_at);
            }
            services.push_back(std::move(one));
        } else {
            one["readiness"] = snapshot.readiness;
            one["tags"] = snapshot.tags;
            if (snapshot.last_failure != health::Failure::none) {
                one["lastError"] =
                    last_error(to_string(snapshot.last_failure), snapshot.last_failed_at);
            }
            checks.push_back(std::move(one));
        }
    }
    return json(worst == health::Status::unhealthy ? 503 : 200,
                {{"status", health::to_string(worst)},
                 {"service", context.service},
                 {"version", context.version},
                 {"phase", phase_name(context)},
                 {"ready", context.ready()},
                 {"checks", std::move(checks)},
                 {"services", std::move(services)}});
}

Answer metrics_page(const hosting::Context& context) {
    return {200, "text/plain; version=0.0.4; charset=utf-8", context.metrics.text(), {}};
}

Answer version_page(const hosting::Context& context) {
    return json(200, {{"service", context.service}, {"version", context.version}});
}

struct Page {
    std::string_view path;
    Answer (*make)(const hosting::Context&);
};

constexpr std::array kPages = {
    Page{"/livez", livez},        Page{"/readyz", readyz},        Page{"/startupz", startupz},
    Page{"/health", health_page}, Page{"/metrics", metrics_page}, Page{"/version", version_page},
};

}  // namespace

std::string_view page_name(std::string_view target) {
    const auto page = std::ranges::find(kPages, target.substr(0, target.find('?')), &Page::path);
    return page == kPages.end() ? std::string_view() : page->path;
}

Answer answer(const hosting::Context& context, std::string_view method, std::string_view target) {
    const auto page = std::ranges::find(kPages, page_name(target), &Page::path);
    if (page == kPages.end()) {
        return {404, "text/plain; charset=utf-8", "no such page\n", {}};
    }
    if (method != "GET" && method != "HEAD") {
        return {405, "text/plain; charset=utf-8", "use GET\n", "GET, HEAD"};
    }
    return page->make(context);
}

}  // namespace gantry::admin
