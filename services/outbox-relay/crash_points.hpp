#pragma once

namespace gantry::relay {

/// Moments at which a crash must lose nothing. Tests stop a relay in them and kill it.
enum class CrashPoint {
    decoded,       ///< A record was read, and Kafka's client does not have it.
    sent,          ///< Kafka's client has it.
    delivered,     ///< Kafka has it, and the relay does not know; on the client's own thread.
    acknowledged,  ///< The relay knows, and has not stored it as progress.
    stored,        ///< Progress is stored, and PostgreSQL's slot has not been told.
    parking,       ///< Kafka refused a record, and no copy of it is stored.
    parked,        ///< Its copy is stored, and it is not counted as finished.
};

/// Told by whoever gets there, on its own thread. The shipped relay's does nothing; the relay of
/// the tests is linked with another one.
void reached(CrashPoint point) noexcept;

}  // namespace gantry::relay
