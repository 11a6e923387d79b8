#include "app.hpp"

#include "arguments.hpp"
#include "outbox.hpp"
#include "session.hpp"

#include "gantry/rpc/channel.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace gantry::ctl {
namespace {

constexpr const char* kServerVariable = "GANTRY_SERVER";
constexpr const char* kUsualServer = "localhost:9090";

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 the server refused, found nothing, or you said no; 2 the command line "
    "is\n"
    "faulty and nothing was sent; 69 no answer: the server is not reachable, or took longer than\n"
    "--timeout.";

void add_globals(CLI::App& app, Globals& globals, const Console& console) {
    globals.server = console.environment(kServerVariable).value_or(kUsualServer);
    app.add_option("--server", globals.server,
                   "Where: api-gateway's gRPC port, or the service's own")
        ->type_name("HOST:PORT")
        ->default_str(std::string("$") + kServerVariable + ", else " + kUsualServer)
        ->check([](const std::string& server) {
            return server.empty() ? std::string("must be host:port") : std::string();
        });
    app.add_option_function<std::string>(
           "-o,--output",
           [&globals](const std::string& name) {
               globals.output = name == "json" ? Output::json : Output::table;
           },
           "How answers are printed")
        ->type_name("")
        ->default_str("table")
        ->check(CLI::IsMember({"table", "json"}));
    add_duration(app, "--timeout", globals.timeout, "Longest wait for the answer of a call")
        ->default_str("10s");
}

int exit_code(const Error& error) {
    return error.code == Code::unavailable || error.code == Code::deadline_exceeded ? kUnreachable
                                                                                    : kRefused;
}

void report(const Error& error, std::ostream& err) {
    err << "gantryctl: " << error.message;
    if (!error.reason.empty()) {
        err << " (" << error.reason << ')';
    }
    err << '\n';
    for (const auto& fault : error.fields) {
        err << "  " << fault.field << ' ' << fault.description << '\n';
    }
}

}  // namespace

int run(int argc, const char* const* argv, const Console& console) {
    CLI::App app{"Operates Gantry: looks at what its services do, and puts right what is stuck."};
    app.name("gantryctl");
    app.set_version_flag("--version", "gantryctl " GANTRY_VERSION);
    app.fallthrough();
    app.require_subcommand(0, 1);
    app.footer(examples({
                   "gantryctl --server gantry.example.org:9090 outbox stats",
                   "export GANTRY_SERVER=localhost:9090; gantryctl outbox parked",
               }) +
               "\n\n" + kExitCodes);
    app.failure_message([](const CLI::App* /*app*/, const CLI::Error& error) {
        return std::string("gantryctl: ") + error.what() +
               "\nRun it with --help to see what is possible.\n";
    });
    Globals globals;
    Action chosen;
    add_globals(app, globals, console);
    add_outbox(app, chosen, console);
    try {
        app.parse(argc, argv);
        // Not by require_subcommand: that would hide which word is no command.
        if (!chosen) {
            throw CLI::RequiredError("A command");
        }
    } catch (const CLI::ParseError& error) {
        return app.exit(error, console.out, console.err) == 0 ? kDone : kUsage;
    }
    Session session(globals, console);
    const auto done = chosen(session);
    console.out.flush();
    if (!done) {
        report(done.error(), console.err);
        return exit_code(done.error());
    }
    if (!console.out) {
        console.err << "gantryctl: the output cannot be written\n";
        return kRefused;
    }
    return kDone;
}

int run(int argc, char** argv) {
    const Console console{
        .in = std::cin,
        .out = std::cout,
        .err = std::cerr,
        .interactive = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1,
        .environment = [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
            return value == nullptr || *value == '\0' ? std::nullopt
                                                      : std::optional<std::string>(value);
        },
        .connect = [](const std::string& target) { return rpc::make_channel(target); },
        .clock = system_clock(),
    };
    return run(argc, argv, console);
}

}  // namespace gantry::ctl
