#pragma once

#include "backends.hpp"
#include "http_message.hpp"

namespace gantry::gateway {

/// `/health` of the REST front: all five services at a glance, as the monitor last saw them. 200,
/// `healthy` or `degraded`; 503 and `unhealthy` when no service behind the gateway serves.
HttpResponse health_page(const Backends& backends);

}  // namespace gantry::gateway
