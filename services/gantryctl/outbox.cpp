#include "outbox.hpp"

#include "arguments.hpp"

#include "gantry/outbox/v1/outbox.grpc.pb.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

namespace gantry::ctl {
namespace {

namespace v1 = gantry::outbox::v1;
using Stub = v1::OutboxService::Stub;

constexpr int kLargestPage = 1'000;
constexpr std::int64_t kUsualLimit = 1'000;

Result<void> print_stats(Session& session) {
    session.printer().message(TRY(session.call(&Stub::GetStats, v1::GetStatsRequest{})));
    return {};
}

void add_stats(CLI::App& outbox, Action& chosen) {
    auto* command = outbox.add_subcommand(
        "stats", "How far publishing is: mode, leader, backlog, age of the oldest event.");
    command->footer(examples({
        "gantryctl outbox stats",
        "gantryctl outbox stats -o json | jq -r .oldestUnpublishedAge",
    }));
    command->callback([&chosen] { chosen = print_stats; });
}

struct ParkedArguments {
    std::int64_t limit = kUsualLimit;  ///< 0: all.
};

Result<void> list_parked(Session& session, const ParkedArguments& arguments) {
    v1::ListParkedRequest request;
    const auto printer = session.printer();
    Printer::List list(printer, "records", *v1::ParkedRecord::descriptor());
    std::int64_t left = arguments.limit;
    while (true) {
        const auto size =
            arguments.limit == 0 ? kLargestPage : std::min<std::int64_t>(left, kLargestPage);
        request.set_page_size(static_cast<int>(size));
        const auto page = TRY(session.call(&Stub::ListParked, request));
        for (const auto& record : page.records()) {
            list.add(record);
        }
        list.flush();
        left -= page.records_size();
        if (page.next_page_token().empty()) {
            break;
        }
        if (arguments.limit > 0 && left <= 0) {
            session.say("gantryctl: there are more; --limit=0 shows all");
            break;
        }
        request.set_page_token(page.next_page_token());
    }
    list.end();
    return {};
}

void add_parked(CLI::App& outbox, Action& chosen) {
    auto arguments = std::make_shared<ParkedArguments>();
    auto* command = outbox.add_subcommand(
        "parked", "Records that were set aside because Kafka refused them for good, oldest first.");
    command->add_option("--limit", arguments->limit, "Most records to show; 0 shows all")
        ->capture_default_str()
        ->check(CLI::NonNegativeNumber);
    command->footer(examples({
        "gantryctl outbox parked",
        "gantryctl outbox parked --limit=0 -o json | jq -r '.records[].topic' | sort | uniq -c",
    }));
    command->callback([arguments, &chosen] {
        chosen = [arguments](Session& session) { return list_parked(session, *arguments); };
    });
}

}  // namespace

void add_outbox(CLI::App& root, Action& chosen, const Console& /*console*/) {
    auto* outbox = root.add_subcommand("outbox", "What is on its way to Kafka, and what is stuck.");
    outbox->require_subcommand(0, 1);
    outbox->footer(examples({
        "gantryctl outbox stats",
        "gantryctl outbox parked",
    }));
    add_stats(*outbox, chosen);
    add_parked(*outbox, chosen);
}

}  // namespace gantry::ctl
