#include "options.hpp"

#include "gantry/base/units.hpp"

#include <string_view>
#include <vector>

#ifndef GANTRY_VERSION
#define GANTRY_VERSION "0.1.0"
#endif

namespace gantry::migrate {
namespace {

constexpr std::string_view kHelp =
    R"(gantry-migrate: brings a database's schema to this release, and changes the outbox's mode.

Usage: gantry-migrate <command> [options]

Commands:
  up                      Apply the migrations that are missing, each in its own transaction, and
                          make the partitions of the coming week. Safe to run again, and from
                          several places at once.
  status                  Print every migration with its state, and the outbox's mode.
  set-mode wal|polling    Change what wake-ups and events travel through: PostgreSQL's write-ahead
                          log (needs wal_level=logical) or queries. Works under load: writers use
                          both lanes until the relay has gone over, so nothing is lost.

Options:
  --database-url=URI      postgresql://user:password@host:port/database. Default: environment
                          variable GANTRY__POSTGRES__URL. Alias: --postgres.url.
  --wait=DURATION         How long to wait for the database, for another run and for transactions
                          that are open (default 60s).
  --handover=DURATION     set-mode: how long to wait for outbox-relay to go over (default 10s). The
                          change is recorded even if no relay runs; the next one finishes it.
  --help, --version

Exit codes: 0 done, 70 failed, 78 bad options.
)";

/// Splits `--name=value` and `--name value`; everything else is a word.
struct CommandLine {
    std::vector<std::string> words;
    std::vector<std::pair<std::string, std::optional<std::string>>> flags;
};

CommandLine split(int argc, const char* const* argv) {
    CommandLine line;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (!argument.starts_with("-")) {
            line.words.push_back(argument);
            continue;
        }
        const auto equals = argument.find('=');
        if (equals != std::string::npos) {
            line.flags.emplace_back(argument.substr(0, equals), argument.substr(equals + 1));
        } else if (argument != "--help" && argument != "-h" && argument != "--version" &&
                   i + 1 < argc && argv[i + 1][0] != '-') {
            line.flags.emplace_back(argument, argv[++i]);
        } else {
            line.flags.emplace_back(argument, std::nullopt);
        }
    }
    return line;
}

void read_duration(const std::string& flag, const std::optional<std::string>& value,
                   milliseconds& into, std::vector<std::string>& faults) {
    const auto duration = parse_duration(value.value_or(""));
    if (!duration || duration->count() <= 0) {
        faults.push_back(flag + " must be a duration above 0 such as 30s or 5m");
        return;
    }
    into = *duration;
}

void read_command(const std::vector<std::string>& words, Options& options,
                  std::vector<std::string>& faults) {
    if (words.empty()) {
        faults.emplace_back("a command is missing: up, status or set-mode");
        return;
    }
    std::size_t expected = 1;
    if (words[0] == "up") {
        options.command = Command::up;
    } else if (words[0] == "status") {
        options.command = Command::status;
    } else if (words[0] == "set-mode") {
        options.command = Command::set_mode;
        expected = 2;
        if (words.size() < 2 || (words[1] != "wal" && words[1] != "polling")) {
            faults.emplace_back("set-mode must be followed by wal or polling");
        } else {
            options.mode = words[1];
        }
    } else {
        faults.push_back("'" + words[0] + "' is no command: up, status or set-mode");
        return;
    }
    for (auto i = expected; i < words.size(); ++i) {
        faults.push_back("'" + words[i] + "' is not expected");
    }
}

}  // namespace

Parsed parse_options(int argc, const char* const* argv,
                     const std::function<const char*(const char*)>& environment) {
    const auto line = split(argc, argv);
    Options options;
    std::vector<std::string> faults;
    if (const char* url = environment("GANTRY__POSTGRES__URL")) {
        options.database_url = url;
    }
    for (const auto& [flag, value] : line.flags) {
        if (flag == "--help" || flag == "-h") {
            return {{}, std::string(kHelp), false};
        }
        if (flag == "--version") {
            return {{}, "gantry-migrate " GANTRY_VERSION "\n", false};
        }
        if (flag == "--database-url" || flag == "--postgres.url") {
            options.database_url = value.value_or("");
        } else if (flag == "--wait") {
            read_duration(flag, value, options.wait, faults);
        } else if (flag == "--handover") {
            read_duration(flag, value, options.handover, faults);
        } else {
            faults.push_back(flag + " is no option: --database-url, --wait, --handover, --help");
        }
    }
    read_command(line.words, options, faults);
    // The URI holds a password: faults never repeat it.
    if (options.database_url.empty()) {
        faults.emplace_back("--database-url or GANTRY__POSTGRES__URL must be set");
    } else if (!options.database_url.starts_with("postgresql://") &&
               !options.database_url.starts_with("postgres://")) {
        faults.emplace_back("the database URL must start with postgresql://");
    }
    if (faults.empty()) {
        return {std::move(options), {}, false};
    }
    std::string text = "gantry-migrate: " + std::to_string(faults.size()) +
                       (faults.size() == 1 ? " fault" : " faults") + " in the options\n";
    for (const auto& fault : faults) {
        text += "  " + fault + '\n';
    }
    return {{}, text, true};
}

}  // namespace gantry::migrate
