#include "slot.hpp"

#include <libpq-fe.h>
#include <poll.h>
#include <algorithm>

namespace gantry::migrate {
namespace {

using ResultPointer = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string first_line(const char* text) {
    const std::string whole = text == nullptr ? "" : text;
    return whole.substr(0, whole.find('\n'));
}

}  // namespace

// Raw libpq: libpqxx has no replication connections, and only these export a slot's snapshot.
class NewSlot::Session {
public:
    explicit Session(PGconn* connection) : connection_(connection) {}
    ~Session() { PQfinish(connection_); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    static std::unique_ptr<Session> open(const std::string& url) {
        const char* names[] = {"dbname", "replication", "connect_timeout", "application_name",
                               nullptr};
        const char* values[] = {url.c_str(), "database", "5", "gantry-migrate", nullptr};
        return std::make_unique<Session>(PQconnectdbParams(names, values, 1));
    }

    [[nodiscard]] bool usable() const { return PQstatus(connection_) == CONNECTION_OK; }
    [[nodiscard]] std::string error() const { return first_line(PQerrorMessage(connection_)); }

    /// Sends a command and waits for its result until the deadline; then cancels it.
    ResultPointer run(const std::string& command, Deadline deadline, bool& timed_out) {
        ResultPointer last(nullptr, &PQclear);
        if (PQsendQuery(connection_, command.c_str()) == 0) {
            return last;
        }
        while (PQisBusy(connection_) == 1) {
            if (!timed_out && deadline.expired()) {
                timed_out = true;
                cancel();
            }
            pollfd readable{PQsocket(connection_), POLLIN, 0};
            const auto left =
                timed_out ? 5'000 : std::min<std::int64_t>(deadline.remaining().count() + 1, 5'000);
            if (::poll(&readable, 1, static_cast<int>(left)) == 0 && timed_out) {
                return last;  // The server does not even answer a cancel: closing ends it.
            }
            if (PQconsumeInput(connection_) == 0) {
                break;
            }
        }
        while (PGresult* result = PQgetResult(connection_)) {
            last.reset(result);
        }
        return last;
    }

private:
    void cancel() {
        if (PGcancel* handle = PQgetCancel(connection_)) {
            char text[256];
            PQcancel(handle, text, sizeof text);
            PQfreeCancel(handle);
        }
    }

    PGconn* connection_;
};

NewSlot::NewSlot(std::unique_ptr<Session> session, std::string snapshot_name)
    : session_(std::move(session)), snapshot_name_(std::move(snapshot_name)) {}
NewSlot::NewSlot(NewSlot&&) noexcept = default;
NewSlot::~NewSlot() = default;

Result<NewSlot> NewSlot::create(const std::string& database_url, const std::string& slot,
                                Deadline deadline) {
    auto session = Session::open(database_url);
    if (!session->usable()) {
        return fail(Code::unavailable, "no replication connection: " + session->error() +
                                           "; the role needs the REPLICATION attribute and "
                                           "pg_hba.conf a line for it");
    }
    bool timed_out = false;
    const auto result =
        session->run("CREATE_REPLICATION_SLOT \"" + slot + "\" LOGICAL pgoutput EXPORT_SNAPSHOT",
                     deadline, timed_out);
    if (!result || PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
        return fail(timed_out ? Code::deadline_exceeded : Code::failed_precondition,
                    timed_out ? "the replication slot could not be made in time: transactions that "
                                "write have been open all the while"
                              : "the replication slot could not be made: " + session->error());
    }
    // Columns: slot_name, consistent_point, snapshot_name, output_plugin.
    return NewSlot(std::move(session), PQgetvalue(result.get(), 0, 2));
}

}  // namespace gantry::migrate
