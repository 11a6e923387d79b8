#include "gantry/postgres/pool.hpp"

#include "errors.hpp"
#include "gantry/base/backoff.hpp"
#include "gantry/base/ensure.hpp"

#include <condition_variable>
#include <mutex>
#include <vector>

namespace gantry::postgres {
namespace {

/// How long an unclear COMMIT is asked after.
constexpr milliseconds kResolveLimit{5'000};

}  // namespace

class Pool::Impl {
public:
    Impl(Options chosen, metrics::Registry& metrics)
        : options(std::move(chosen)),
          in_use(
              metrics.gauge("gantry_postgres_connections_in_use", "Connections lent by the pool")),
          waits(metrics.counter("gantry_postgres_pool_waits_total",
                                "Times a caller had to wait for a connection")),
          opened(metrics.counter("gantry_postgres_connections_opened_total", "Connections opened")),
          failures(metrics.counter("gantry_postgres_connection_failures_total",
                                   "Connections that could not be opened or were lost")),
          unclear(metrics.counter("gantry_postgres_unclear_commits_total",
                                  "Commits whose outcome had to be asked after")) {}

    // Constant after construction.
    Options options;
    // Self-synchronised.
    metrics::Gauge& in_use;
    metrics::Counter& waits;
    metrics::Counter& opened;
    metrics::Counter& failures;
    metrics::Counter& unclear;
    // Guarded by mutex.
    std::mutex mutex;
    std::condition_variable freed;
    std::vector<std::unique_ptr<Connection>> idle;
    int lent = 0;
};

Pool::Pool(Options options, metrics::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), metrics)) {}

Pool::~Pool() {
    ENSURE(impl_->lent == 0, "every lease ends before its pool");
}

const Options& Pool::options() const {
    return impl_->options;
}

Result<Pool::Lease> Pool::acquire(Deadline deadline) {
    std::unique_ptr<Connection> connection;
    {
        std::unique_lock lock(impl_->mutex);
        const auto has_room = [&] { return impl_->lent < impl_->options.pool_size; };
        if (!has_room()) {
            impl_->waits.increment();
            if (!impl_->freed.wait_for(lock, deadline.remaining(), has_room)) {
                return fail(Code::deadline_exceeded, "no database connection was free in time",
                            "POOL_EXHAUSTED");
            }
        }
        ++impl_->lent;
        impl_->in_use.set(impl_->lent);
        if (!impl_->idle.empty()) {
            connection = std::move(impl_->idle.back());
            impl_->idle.pop_back();
        }
    }
    if (!connection) {
        auto made = Connection::open(impl_->options);
        if (!made) {
            impl_->failures.increment();
            give_back(nullptr);
            return std::unexpected(std::move(made).error());
        }
        impl_->opened.increment();
        connection = *std::move(made);
    }
    return Lease(*this, std::move(connection));
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
    std::vector<std::unique_ptr<Connection>> discarded;
    {
        const std::lock_guard lock(impl_->mutex);
        --impl_->lent;
        impl_->in_use.set(impl_->lent);
        if (connection && connection->usable() && !connection->in_transaction()) {
            impl_->idle.push_back(std::move(connection));
        } else if (connection) {
            impl_->failures.increment();
            // The server went away for one, so it probably did for those that lie idle.
            discarded = std::move(impl_->idle);
            impl_->idle.clear();
            discarded.push_back(std::move(connection));
        }
    }
    impl_->freed.notify_one();
}

Result<void> Pool::commit(Transaction& transaction, Transaction::Mode mode, Deadline deadline) {
    if (mode == Transaction::Mode::read_only) {
        return transaction.commit();
    }
    // An id only if the transaction wrote: without one there is nothing to resolve.
    const auto rows = TRY(transaction.exec("SELECT pg_current_xact_id_if_assigned()::text"));
    const auto xid = rows.front().get<std::optional<std::string>>(0);
    const std::string life = transaction.server_life();
    auto committed = transaction.commit();
    if (committed || committed.error().reason != "COMMIT_UNKNOWN" || !xid) {
        return committed;
    }
    impl_->unclear.increment();
    const auto limit = deadline.earlier(Deadline::after(kResolveLimit));
    Backoff backoff({milliseconds{20}, milliseconds{500}, milliseconds{5}});
    while (!limit.expired()) {
        if (auto connection = Connection::open(impl_->options)) {
            const auto status = commit_status(**connection, *xid, life);
            if (status == CommitStatus::committed) {
                return {};
            }
            if (status == CommitStatus::unknown) {
                return committed;
            }
            if (status == CommitStatus::aborted) {
                return std::unexpected(
                    connection_lost("the connection was lost and the transaction rolled back"));
            }
        }
        system_clock().sleep_for(std::min<SteadyTime::duration>(backoff.next(), limit.remaining()),
                                 {});
    }
    return committed;
}

Error Pool::from_exception(const std::exception& /*thrown*/) {
    // What an exception says could hold data of a row.
    return Error{
        Code::internal, "unexpected exception in a transaction", "UNEXPECTED_EXCEPTION", {}};
}

Result<Rows> Pool::exec(Deadline deadline, std::string_view sql, const Params& params) {
    auto lease = TRY(acquire(deadline));
    return lease->exec(sql, params);
}

}  // namespace gantry::postgres
