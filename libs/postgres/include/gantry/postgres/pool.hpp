#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/metrics/registry.hpp"
#include "gantry/postgres/connection.hpp"

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace gantry::postgres {

/// A bounded set of connections. Thread-safe.
///
/// Connections are opened when they are needed; a broken one is thrown away when it comes back.
/// Destroy it after all leases.
class Pool {
public:
    /// A borrowed connection; goes back at the end of its life.
    class Lease {
    public:
        Lease(Pool& pool, std::unique_ptr<Connection> connection)
            : pool_(&pool), connection_(std::move(connection)) {}
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (connection_) {
                pool_->give_back(std::move(connection_));
            }
        }
        Connection& operator*() const { return *connection_; }
        Connection* operator->() const { return connection_.get(); }

    private:
        Pool* pool_;
        std::unique_ptr<Connection> connection_;
    };

    Pool(Options options, metrics::Registry& metrics);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    /// A connection, waiting until one is free. `deadline_exceeded` when `deadline` passes first,
    /// `unavailable` when the server cannot be reached.
    Result<Lease> acquire(Deadline deadline);

    /// Runs `body(Transaction&) -> Result<T>` in a transaction and commits it if the body
    /// succeeded.
    ///
    /// A connection lost at COMMIT is resolved on another one: committed counts as success, aborted
    /// is `unavailable`; if it stays open the error is `unknown` with reason `COMMIT_UNKNOWN`. The
    /// body runs once, its exceptions roll back and become `internal`.
    template <class Body>
    auto transact(Deadline deadline, Body&& body) -> std::invoke_result_t<Body, Transaction&> {
        return run(deadline, Transaction::Mode::read_write, std::forward<Body>(body));
    }

    /// Runs `body(Transaction&) -> Result<T>` in a read-only transaction.
    template <class Body>
    auto read(Deadline deadline, Body&& body) -> std::invoke_result_t<Body, Transaction&> {
        return run(deadline, Transaction::Mode::read_only, std::forward<Body>(body));
    }

    /// Runs a single statement by itself.
    Result<Rows> exec(Deadline deadline, std::string_view sql, const Params& params = {});

    [[nodiscard]] const Options& options() const;

private:
    template <class Body>
    auto run(Deadline deadline, Transaction::Mode mode, Body&& body)
        -> std::invoke_result_t<Body, Transaction&> {
        using Outcome = std::invoke_result_t<Body, Transaction&>;
        auto lease = TRY(acquire(deadline));
        auto transaction = TRY(Transaction::begin(*lease, mode));
        Outcome outcome = [&]() -> Outcome {
            try {
                return body(transaction);
            } catch (const std::exception& thrown) {
                return std::unexpected(from_exception(thrown));
            }
        }();
        if (!outcome) {
            transaction.rollback();
            return outcome;
        }
        TRY(commit(transaction, mode, deadline));
        return outcome;
    }

    Result<void> commit(Transaction& transaction, Transaction::Mode mode, Deadline deadline);
    static Error from_exception(const std::exception& thrown);
    void give_back(std::unique_ptr<Connection> connection);

    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::postgres
