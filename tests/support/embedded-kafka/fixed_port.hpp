#pragma once

#include <cstdint>

namespace gantry::embedded_kafka {

/// Makes the next listening socket of this process that asks for any port of 127.0.0.1 get `port`.
///
/// librdkafka's mock cluster always asks for any port and has no setting for it, but a broker that
/// comes back must have the address that its clients know. Call it once, before the cluster is
/// made.
void listen_next_on(std::uint16_t port);

}  // namespace gantry::embedded_kafka
