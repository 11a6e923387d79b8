#pragma once

#include "gantry/postgres/connection.hpp"
#include "options.hpp"

#include <ostream>

namespace gantry::migrate {

/// Changes the outbox's mode exactly, under load.
///
/// Writers are told to use both lanes; once every older transaction has ended, the relay is asked
/// through `gantry.outbox_handover` to go over at one snapshot, and goes over by itself. Where no
/// relay has ever run there is nothing to hand over. Interrupted at any point, the database is in a
/// state that loses nothing, and the same call carries on.
Result<void> set_mode(postgres::Connection& session, const Options& options, std::ostream& out,
                      std::ostream& warnings);

}  // namespace gantry::migrate
