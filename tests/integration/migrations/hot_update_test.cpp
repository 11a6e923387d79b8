#include "support.hpp"

namespace gantry::testing {
namespace {

TEST(FinishingAJob, IsAHotUpdate) {
    const TestDatabase database;
    Session session(database);
    session.exec("ALTER TABLE gantry.job_default SET (autovacuum_enabled = false)");
    constexpr int kJobs = 5'000;
    session.exec(
        "SELECT gantry.enqueue('default', 'a.job.of.usual.size', "
        "convert_to(repeat('p', 200), 'UTF8'), key => 'key' || n) "
        "FROM generate_series(1, $1) n",
        {kJobs});
    // As workers do: batches of one Kafka partition each, fenced, committed one after the other. A
    // page's jobs lie in several partitions, so dead versions are pruned between its updates.
    std::size_t finished = 0;
    for (int batch = 0; batch < 8; ++batch) {
        finished += session
                        .exec(
                            "UPDATE gantry.job j SET state = 'succeeded', "
                            "dispatch = j.dispatch + 1, attempt = 1, started_at = now(), "
                            "finished_at = clock_timestamp() "
                            "FROM (SELECT id, dispatch FROM gantry.job "
                            "      WHERE hashtext(key) & 7 = $1) d "
                            "WHERE j.id = d.id AND j.dispatch = d.dispatch "
                            "AND j.state IN ('queued', 'running')",
                            {batch})
                        .affected();
    }
    EXPECT_EQ(finished, static_cast<std::size_t>(kJobs));
    session.exec("SELECT pg_stat_force_next_flush()");
    const auto rows = session.exec(
        "SELECT sum(n_tup_upd)::bigint, sum(n_tup_hot_upd)::bigint FROM pg_stat_user_tables "
        "WHERE schemaname = 'gantry' AND relname ~ '^job_(default|[0-9]+)$'");
    const auto updated = rows.front().get<std::int64_t>(0);
    const auto hot = rows.front().get<std::int64_t>(1);
    EXPECT_EQ(updated, kJobs);
    EXPECT_GE(static_cast<double>(hot), 0.99 * static_cast<double>(updated));
}

TEST(FinishingAJob, IsRefusedUnderAnOldDispatch) {
    const TestDatabase database;
    Session session(database);
    session.exec("SELECT gantry.enqueue('default', 'a')");
    const auto finish = [&] {
        return session
            .exec(
                "UPDATE gantry.job SET state = 'succeeded', dispatch = dispatch + 1 "
                "WHERE dispatch = 1")
            .affected();
    };
    EXPECT_EQ(finish(), 1U);
    EXPECT_EQ(finish(), 0U);
}

}  // namespace
}  // namespace gantry::testing
