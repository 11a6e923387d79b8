#pragma once

namespace gantry::migrate {

/// The program: reads its options, does its one command, says what it did. Exit codes: 0 done,
/// 70 failed (nothing half done: each migration is one transaction), 78 bad options.
int run(int argc, char** argv);

}  // namespace gantry::migrate
