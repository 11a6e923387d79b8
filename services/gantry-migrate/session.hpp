#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/postgres/connection.hpp"
#include "options.hpp"

#include <memory>
#include <ostream>

namespace gantry::migrate {

/// Connects, trying again with backoff for `options.wait`: the database may be starting. Then
/// checks that the server is one that Gantry runs on (PostgreSQL 15 or newer, UTF-8), and warns on
/// `warnings` if it runs with fsync off.
Result<std::unique_ptr<postgres::Connection>> connect(const Options& options,
                                                      std::ostream& warnings);

/// Takes the lock that lets one `gantry-migrate` at a time change a database. It ends with the
/// session. `deadline_exceeded` if another run holds it for too long.
Result<void> lock_database(postgres::Connection& session, Deadline deadline);

}  // namespace gantry::migrate
