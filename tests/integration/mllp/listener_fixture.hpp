#pragma once

#include "committer.hpp"
#include "gantry/logging/log.hpp"
#include "gantry/testing/test_database.hpp"
#include "listener.hpp"
#include "mllp_client.hpp"
#include "postgres_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace gantry::mllp {

/// The listener with its real store on a database of its own, on a free port. `begin` starts it
/// with `options`.
class ListenerTest : public ::testing::Test {
protected:
    ListenerTest() { options.listen = "127.0.0.1:0"; }
    ~ListenerTest() override { end(); }

    void begin() {
        intake.emplace(options, "gantry", system_clock());
        listener_metrics.emplace(options, registry, system_clock());
        committer.emplace(options, context, store, *intake, *listener_metrics);
        listener.emplace(options, context, *committer, *intake, *listener_metrics);
        ASSERT_TRUE(committer->start({}).has_value());
        ASSERT_TRUE(listener->start({}).has_value());
    }

    /// Stops as the host does: the listener first, so that the committer answers what it read.
    void end() {
        if (listener) {
            EXPECT_TRUE(listener->stop(Deadline::after(std::chrono::seconds{20})).has_value());
        }
        if (committer) {
            EXPECT_TRUE(committer->stop(Deadline::after(std::chrono::seconds{20})).has_value());
        }
        listener.reset();
        committer.reset();
    }

    [[nodiscard]] MllpClient connect() const { return MllpClient(listener->address()); }

    static std::string order(const std::string& control_id, const std::string& tail = {}) {
        return "MSH|^~\\&|HIS|NORTH|GANTRY|HUB|20260102030405||ORM^O01|" + control_id +
               "|P|2.5\rPID|1||4711\rORC|NW|" + control_id + "\rOBR|1|||GLU\r" + tail;
    }

    /// `AA|7` of an answer, or why there is none.
    static std::string verdict(const std::optional<std::string>& answer) {
        if (!answer) {
            return "no answer";
        }
        const auto at = answer->find("MSA|");
        return at == std::string::npos ? "no MSA"
                                       : answer->substr(at + 4, answer->find('\r', at) - at - 4);
    }

    [[nodiscard]] std::int64_t count(const std::string& table) const {
        return database.exec("SELECT count(*) FROM gantry." + table).front().get<std::int64_t>(0);
    }

    /// Control ids of the stored messages, in the order of their events.
    [[nodiscard]] std::vector<std::string> stored() const {
        std::vector<std::string> ids;
        const auto rows =
            database.exec("SELECT control_id FROM gantry.hl7_message ORDER BY outbox_id");
        for (const auto row : rows) {
            ids.push_back(row.bytes(0));
        }
        return ids;
    }

    /// Asks the database until `condition` holds; false after 20 s.
    [[nodiscard]] bool wait_until(const std::string& condition) const {
        const auto limit = Deadline::after(std::chrono::seconds{20});
        while (!database.exec("SELECT " + condition).front().get<bool>(0)) {
            if (limit.expired()) {
                return false;
            }
            database.exec("SELECT pg_sleep(0.02)");
        }
        return true;
    }

    /// Waits until at least `wanted` rows are there; false after 20 s.
    [[nodiscard]] bool wait_until_counted(const std::string& table, std::int64_t wanted) const {
        return wait_until("(SELECT count(*) FROM gantry." + table +
                          ") >= " + std::to_string(wanted));
    }

    /// While it lives nothing can be committed: the table of duplicates is locked.
    class Blockade {
    public:
        explicit Blockade(const gantry::testing::TestDatabase& database)
            : connection_(database.connect()) {
            EXPECT_TRUE(connection_->exec_script("BEGIN; LOCK TABLE gantry.hl7_dedup").has_value());
        }
        /// Waits until `count` sessions stand before it.
        void wait_for(std::int64_t count) {
            const auto limit = Deadline::after(std::chrono::seconds{20});
            while (!limit.expired()) {
                const auto rows = connection_->exec(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
                    "'gantry.hl7_dedup'::regclass");
                if (rows && rows->front().get<std::int64_t>(0) >= count) {
                    return;
                }
                static_cast<void>(connection_->exec("SELECT pg_sleep(0.01)"));
            }
            ADD_FAILURE() << "nobody waits";
        }
        void lift() { EXPECT_TRUE(connection_->exec_script("COMMIT").has_value()); }

    private:
        std::unique_ptr<postgres::Connection> connection_;
    };

    gantry::testing::TestDatabase database;
    metrics::Registry registry;
    health::Registry health{system_clock()};
    health::Watchdog watchdog{system_clock(), {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"mllp-listener", "test",   system_clock(), registry,
                             health,          watchdog, lifetime};
    Options options;
    postgres::Pool pool{database.options(), registry};
    PostgresStore store{pool, std::chrono::milliseconds{20'000}};
    std::optional<Intake> intake;
    std::optional<ListenerMetrics> listener_metrics;
    std::optional<Committer> committer;
    std::optional<Listener> listener;
};

}  // namespace gantry::mllp
