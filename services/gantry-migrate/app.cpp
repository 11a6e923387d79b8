#include "app.hpp"

#include "migrator.hpp"
#include "mode.hpp"
#include "options.hpp"
#include "session.hpp"

#include <cstdlib>
#include <iostream>

namespace gantry::migrate {
namespace {

constexpr int kFailed = 70;
constexpr int kBadOptions = 78;

Result<void> execute(const Options& options) {
    auto session = TRY(connect(options, std::cerr));
    switch (options.command) {
        case Command::up:
            return migrate_up(*session, embedded_migrations(), Deadline::after(options.wait),
                              std::cout, std::cerr);
        case Command::status:
            return print_status(*session, embedded_migrations(), std::cout);
        case Command::set_mode:
            return set_mode(*session, options, std::cout, std::cerr);
    }
    return {};
}

}  // namespace

int run(int argc, char** argv) {
    const auto parsed = parse_options(argc, argv, [](const char* name) {
        return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
    });
    if (!parsed.options) {
        (parsed.faulty ? std::cerr : std::cout) << parsed.text;
        return parsed.faulty ? kBadOptions : 0;
    }
    const auto done = execute(*parsed.options);
    if (!done) {
        std::cerr << "gantry-migrate: " << done.error().message;
        if (!done.error().reason.empty()) {
            std::cerr << " (" << done.error().reason << ')';
        }
        std::cerr << '\n';
        return kFailed;
    }
    return 0;
}

}  // namespace gantry::migrate
