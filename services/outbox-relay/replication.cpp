#include "replication.hpp"

#include <libpq-fe.h>

#include <array>
#include <utility>

namespace gantry::relay {
namespace {

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(char* memory) const { PQfreemem(memory); }
};
using ResultPointer = std::unique_ptr<PGresult, Clear>;

std::string first_line(const char* text) {
    const std::string whole = text == nullptr ? "" : text;
    return whole.substr(0, whole.find('\n'));
}

Error from_result(const PGresult* result, std::string_view context) {
    const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const std::string sqlstate = state == nullptr ? "" : state;
    const auto code = sqlstate.empty() || sqlstate.starts_with("57P") || sqlstate == "55006" ||
                              sqlstate.starts_with("08")
                          ? Code::unavailable
                          : Code::failed_precondition;
    return {
        code, std::string(context) + ": " + first_line(PQresultErrorMessage(result)), sqlstate, {}};
}

PgTime to_pg_time(Instant at) {
    constexpr std::int64_t kEpochDifference = 946'684'800'000'000;
    return std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count() -
           kEpochDifference;
}

}  // namespace

class Replication::Impl {
public:
    explicit Impl(PGconn* raw) : connection(raw) {}

    [[nodiscard]] Error lost(std::string_view context) const {
        return {Code::unavailable,
                std::string(context) + ": " + first_line(PQerrorMessage(connection.get())),
                "CONNECTION_LOST",
                {}};
    }

    std::unique_ptr<PGconn, Clear> connection;
    std::unique_ptr<char, Clear> body;
};

Replication::Replication(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Replication::~Replication() = default;

Result<std::unique_ptr<Replication>> Replication::connect(const std::string& url,
                                                          const std::string& application_name) {
    // The text forms that the decoder reads, and a server that soon notices a dead relay.
    const std::array<const char*, 9> names = {
        "dbname",  "replication",     "connect_timeout",     "application_name",
        "options", "keepalives_idle", "keepalives_interval", "keepalives_count",
        nullptr};
    const std::array<const char*, 9> values = {
        url.c_str(),
        "database",
        "3",
        application_name.c_str(),
        "-c wal_sender_timeout=6s -c datestyle=ISO -c timezone=UTC -c bytea_output=hex",
        "10",
        "5",
        "3",
        nullptr};
    auto impl = std::make_unique<Impl>(PQconnectdbParams(names.data(), values.data(), 1));
    if (PQstatus(impl->connection.get()) != CONNECTION_OK) {
        return std::unexpected(impl->lost("no replication connection"));
    }
    return std::unique_ptr<Replication>(new Replication(std::move(impl)));
}

Result<std::string> Replication::system_identifier() {
    const ResultPointer result(PQexec(impl_->connection.get(), "IDENTIFY_SYSTEM"));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) != 1) {
        return std::unexpected(from_result(result.get(), "identifying the server"));
    }
    return std::string(PQgetvalue(result.get(), 0, 0));
}

Result<void> Replication::begin_create_slot(const std::string& slot) {
    const auto command =
        "CREATE_REPLICATION_SLOT \"" + slot + "\" LOGICAL pgoutput EXPORT_SNAPSHOT";
    if (PQsendQuery(impl_->connection.get(), command.c_str()) == 0) {
        return std::unexpected(impl_->lost("making the slot"));
    }
    return {};
}

Result<std::optional<CreatedSlot>> Replication::created_slot() {
    auto* connection = impl_->connection.get();
    if (PQconsumeInput(connection) == 0) {
        return std::unexpected(impl_->lost("making the slot"));
    }
    if (PQisBusy(connection) != 0) {
        return std::optional<CreatedSlot>{};
    }
    const ResultPointer result(PQgetResult(connection));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) != 1) {
        return std::unexpected(from_result(result.get(), "making the slot"));
    }
    // Columns: slot_name, consistent_point, snapshot_name, output_plugin.
    CreatedSlot created;
    created.consistent_point = TRY(parse_lsn(PQgetvalue(result.get(), 0, 1)));
    created.snapshot_name = PQgetvalue(result.get(), 0, 2);
    while (const auto rest = ResultPointer(PQgetResult(connection))) {
    }
    return std::optional(std::move(created));
}

Result<void> Replication::start(const std::string& slot, Lsn from) {
    auto* connection = impl_->connection.get();
    const auto command = "START_REPLICATION SLOT \"" + slot + "\" LOGICAL " + format_lsn(from) +
                         " (proto_version '1', publication_names '\"gantry_outbox\"', messages "
                         "'true')";
    const ResultPointer result(PQexec(connection, command.c_str()));
    if (PQresultStatus(result.get()) != PGRES_COPY_BOTH) {
        return std::unexpected(from_result(result.get(), "starting to stream"));
    }
    if (PQsetnonblocking(connection, 1) != 0) {
        return std::unexpected(impl_->lost("starting to stream"));
    }
    return {};
}

Result<std::optional<std::string_view>> Replication::next() {
    auto* connection = impl_->connection.get();
    impl_->body.reset();
    for (const bool read : {false, true}) {
        if (read && PQconsumeInput(connection) == 0) {
            return std::unexpected(impl_->lost("streaming"));
        }
        char* raw = nullptr;
        const int size = PQgetCopyData(connection, &raw, 1);
        impl_->body.reset(raw);
        if (size > 0) {
            return std::optional(std::string_view(raw, static_cast<std::size_t>(size)));
        }
        if (size < 0) {
            const ResultPointer result(PQgetResult(connection));
            if (result && PQresultStatus(result.get()) == PGRES_FATAL_ERROR) {
                return std::unexpected(from_result(result.get(), "streaming"));
            }
            return std::unexpected(impl_->lost("the server ended the stream"));
        }
    }
    return std::optional<std::string_view>{};
}

Result<void> Replication::send_status(Lsn flushed, Instant now) {
    const auto body = encode_status(flushed, to_pg_time(now));
    if (PQputCopyData(impl_->connection.get(), body.data(), static_cast<int>(body.size())) < 0) {
        return std::unexpected(impl_->lost("confirming"));
    }
    return flush();
}

Result<void> Replication::flush() {
    const int left = PQflush(impl_->connection.get());
    if (left < 0) {
        return std::unexpected(impl_->lost("confirming"));
    }
    wants_write_ = left > 0;
    return {};
}

int Replication::fd() const {
    return PQsocket(impl_->connection.get());
}

}  // namespace gantry::relay
