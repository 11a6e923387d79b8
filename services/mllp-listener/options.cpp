#include "options.hpp"

#include <algorithm>

namespace gantry::mllp {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20U;

// The rule for one element of a list is checked on the whole list's text.
std::string only(std::string_view text, std::string_view allowed, std::string what) {
    return std::ranges::all_of(text,
                               [&](char c) {
                                   return allowed.find(c) != std::string_view::npos ||
                                          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                          (c >= '0' && c <= '9');
                               })
               ? std::string{}
               : what;
}

}  // namespace

void Options::bind(config::Binder& binder) {
    binder.add("mllp.listen", listen, "Address of the MLLP port; port 0 picks a free one.")
        .required()
        .listen_address();
    binder
        .add("mllp.framing", framing,
             "How frames without 0D or with an embedded 1C are treated: refused or forgiven.")
        .one_of({"strict", "lenient"});
    binder.add("mllp.max_frame_size", max_frame_size, "Largest message; a larger one gets AR.")
        .range(1024, 256 * kMiB);
    binder
        .add("mllp.max_buffered_size", max_buffered_size,
             "Bytes of unanswered messages in memory, over all connections; then reading stops.")
        .range(kMiB, 64 * 1024 * kMiB);
    binder.add("mllp.max_connections", max_connections, "Connections at a time; more are closed.")
        .range(1, 100'000);
    binder
        .add("mllp.max_connections_per_peer", max_connections_per_peer,
             "Connections at a time from one IP address.")
        .range(1, 100'000);
    binder
        .add("mllp.max_in_flight", max_in_flight,
             "Unanswered messages of one connection; then it is read no further.")
        .range(1, 10'000);
    binder
        .add("mllp.idle_timeout", idle_timeout,
             "A connection without a message for so long is closed; 0 never.")
        .range(0, 7 * 86'400'000LL);
    binder.add("mllp.read_timeout", read_timeout, "Longest silence inside a frame.")
        .range(100, 3'600'000);
    binder.add("mllp.frame_timeout", frame_timeout, "Longest time for the whole of a frame.")
        .range(100, 3'600'000);
    binder
        .add("mllp.write_timeout", write_timeout,
             "Longest time for which a peer may refuse to take its answers.")
        .range(100, 3'600'000);
    binder
        .add("mllp.queue_capacity", queue_capacity,
             "Messages that wait for a commit; then reading stops.")
        .range(1, 100'000);
    binder.add("mllp.batch_size", batch_size, "Most messages in one transaction.").range(1, 4096);
    binder.add("mllp.batch_bytes", batch_bytes, "Most bytes of messages in one transaction.")
        .range(kMiB, 256 * kMiB);
    binder
        .add("mllp.committers", committers,
             "Threads that commit, each with a connection to PostgreSQL; a connection's messages "
             "stay with one, in order.")
        .range(1, 16);
    binder
        .add("mllp.store_wait", store_wait,
             "How long a message waits for a database that is away; then its connection is closed "
             "without an answer.")
        .range(1'000, 600'000);
    binder
        .add("mllp.accept", accept,
             "Accepted message types, such as ORM^O01 or ADT; empty accepts all.")
        .check([](std::string_view text) {
            return only(text, "^, _", "a list of message codes, each with or without ^event");
        });
    binder.add("mllp.processing_ids", processing_ids, "Accepted letters of MSH-11.")
        .check([](std::string_view text) { return only(text, ", ", "a list of letters"); });
    binder.add("mllp.charset", charset, "Character set of messages whose MSH-18 is empty.")
        .one_of({"ASCII", "8859/1", "UNICODE UTF-8"});
    binder
        .add("mllp.topics", topics,
             "Message codes with a topic of their own, <prefix>.hl7.<code>; others go to "
             "<prefix>.hl7.other.")
        .check([](std::string_view text) { return only(text, ", _", "a list of message codes"); });
    binder
        .add("mllp.order_messages", order_messages,
             "Message types that also make a job orders.import_hl7.")
        .check([](std::string_view text) { return only(text, "^, _", "a list such as ORM^O01"); });
    binder.add(
        "mllp.facilities", facilities,
        "Sending facilities (MSH-4.1) with a metric label of their own; others are `other`.");
    binder.add("mllp.retention", retention, "How long messages and quarantine are kept.")
        .range(86'400'000, 10LL * 366 * 86'400'000)
        .reloadable();
    binder.add("mllp.dedup_window", dedup_window, "How long a message sent again is recognised.")
        .range(60'000, 366LL * 86'400'000)
        .reloadable();
    binder
        .add("mllp.maintenance_interval", maintenance_interval,
             "How often partitions are made and old rows purged.")
        .range(1'000, 86'400'000)
        .reloadable();
}

std::vector<config::Fault> Options::validate() const {
    std::vector<config::Fault> faults;
    // A frame's buffer grows by doubling, so the largest message may need twice its size.
    if (max_buffered_size.bytes < 2 * max_frame_size.bytes) {
        faults.push_back(
            {"mllp.max_buffered_size", "", "must be at least twice mllp.max_frame_size"});
    }
    for (const auto& id : processing_ids) {
        if (id.size() != 1) {
            faults.push_back({"mllp.processing_ids", "", "must be single letters such as P,T,D"});
            break;
        }
    }
    if (processing_ids.empty()) {
        faults.push_back({"mllp.processing_ids", "", "must name at least one letter"});
    }
    return faults;
}

}  // namespace gantry::mllp
