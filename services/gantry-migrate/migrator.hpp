#pragma once

#include "embedded.hpp"
#include "gantry/base/deadline.hpp"
#include "gantry/postgres/connection.hpp"

#include <ostream>
#include <span>

namespace gantry::migrate {

/// Applies the migrations that are missing, each in one transaction together with its row in
/// `gantry.schema_migration`, and makes the coming partitions.
///
/// Refuses, before it changes anything, a database in which an applied migration's text was another
/// one than this binary's. A database that is newer than this binary is left as it is.
Result<void> migrate_up(postgres::Connection& session, std::span<const Migration> migrations,
                        Deadline deadline, std::ostream& out, std::ostream& warnings);

/// Prints every migration with its state, and the outbox's mode. Changes nothing.
Result<void> print_status(postgres::Connection& session, std::span<const Migration> migrations,
                          std::ostream& out);

}  // namespace gantry::migrate
