#pragma once

#include "gantry/health/registry.hpp"
#include "gantry/kafka/admin.hpp"

namespace gantry::kafka {

/// The readiness check `kafka`: unhealthy until a broker has answered for the first time; when
/// Kafka goes away later it is degraded, because work waits and nothing is lost. `admin` must
/// outlive the check.
health::Check readiness_check(Admin& admin);

}  // namespace gantry::kafka
