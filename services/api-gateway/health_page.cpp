#include "health_page.hpp"

#include "json_writer.hpp"

#include "gantry/base/time.hpp"

#include <algorithm>

namespace gantry::gateway {

HttpResponse health_page(const Backends& backends) {
    std::size_t serving = 0;
    std::string services = R"("api-gateway":{"status":"healthy"})";
    for (const auto& backend : backends.all()) {
        const Backend::Seen seen = backend->seen();
        serving += seen.state == BackendState::serving ? 1 : 0;
        services += ',';
        write_json_string(backend->name(), services);
        services += R"(:{"status":)";
        write_json_string(to_string(seen.state), services);
        if (seen.state != BackendState::unknown) {
            services += R"(,"since":")" + format_rfc3339(seen.since) + '"';
        }
        services += '}';
    }
    std::string_view status = "degraded";
    if (serving == kBackendCount) {
        status = "healthy";
    } else if (serving == 0) {
        status = "unhealthy";
    }
    HttpResponse page;
    page.status = serving == 0 ? 503 : 200;
    page.body = R"({"status":")" + std::string(status) + R"(","services":{)" + services + "}}";
    return page;
}

}  // namespace gantry::gateway
