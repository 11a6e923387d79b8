#pragma once

#include "gantry/postgres/pool.hpp"
#include "message_store.hpp"

#include <chrono>

namespace gantry::mllp {

/// The message store in PostgreSQL: `gantry.hl7_message`, `gantry.hl7_dedup`, `gantry.publish` and
/// `gantry.enqueue` in one transaction a batch. Thread-safe.
class PostgresStore final : public MessageStore {
public:
    /// `pool` must outlive the store. `timeout` bounds each transaction.
    PostgresStore(postgres::Pool& pool, std::chrono::milliseconds timeout)
        : pool_(&pool), timeout_(timeout) {}

    Result<std::vector<Stored>> store(std::span<const NewMessage* const> batch) override;
    Result<void> quarantine(std::span<const Quarantined* const> batch) override;
    Result<void> rehearse(const NewMessage& sample) override;

private:
    postgres::Pool* pool_;
    std::chrono::milliseconds timeout_;
};

}  // namespace gantry::mllp
