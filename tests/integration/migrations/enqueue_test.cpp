#include "support.hpp"

#include "gantry/base/uuid.hpp"

#include <future>

namespace gantry::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Enqueue : public SharedDatabaseTest<Enqueue> {};

TEST_F(Enqueue, MakesAQueuedJobWithTheQueuesDefaults) {
    const auto id = session.value<Uuid>("SELECT gantry.enqueue('default', 'gantry.noop')");
    EXPECT_EQ(id.version(), 7);
    const auto job = session.exec(
        "SELECT state::text, dispatch, attempt, max_attempts, octet_length(payload), "
        "content_type, key, source, timeout IS NULL, run_at IS NULL, tags "
        "FROM gantry.job WHERE id = $1",
        {id});
    ASSERT_EQ(job.size(), 1U);
    const auto row = job.front();
    EXPECT_EQ(row.get<std::string>(0), "queued");
    EXPECT_EQ(row.get<int>(1), 1);
    EXPECT_EQ(row.get<int>(2), 0);
    EXPECT_EQ(row.get<int>(3), 20);
    EXPECT_EQ(row.get<int>(4), 0);
    EXPECT_EQ(row.get<std::string>(5), "application/octet-stream");
    EXPECT_TRUE(row.is_null(6));
    EXPECT_EQ(row.get<std::string>(7), "sql");
    EXPECT_TRUE(row.get<bool>(8));
    EXPECT_TRUE(row.get<bool>(9));
    EXPECT_TRUE(row.is_null(10));
}

TEST_F(Enqueue, RollbackLeavesNoJobAndNoWakeup) {
    session.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
    session.exec("BEGIN");
    session.exec("SELECT gantry.enqueue('default', 'gantry.noop', unique_key => 'u')");
    session.exec("SELECT gantry.enqueue('default', 'gantry.noop', run_at => now() + '1 h')");
    session.exec("ROLLBACK");
    for (const auto* table : {"job", "outbox_wakeup", "job_unique", "job_timer"}) {
        EXPECT_EQ(count(table), 0) << table;
    }
}

TEST_F(Enqueue, WakesThroughTheLaneOfTheMode) {
    const Slot slot(session, database, "pgoutput");
    const auto wal_wakeups = [&] {
        // 'M' is pgoutput's logical message: flags 1 (transactional), LSN, prefix, length, content.
        return session.value<std::int64_t>(
            "SELECT count(*) FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, "
            "'proto_version', '1', 'publication_names', 'gantry_outbox', 'messages', 'true') "
            "WHERE get_byte(data, 0) = ascii('M') AND get_byte(data, 1) = 1 "
            "AND position('gantry'::bytea IN data) > 0 AND position('\"xid\"'::bytea IN data) > 0",
            {slot.name});
    };
    const auto set = [&](const char* mode) {
        session.exec("UPDATE gantry.setting SET value = $1 WHERE name = 'outbox.mode'", {mode});
    };
    const auto enqueue = [&] { session.exec("SELECT gantry.enqueue('default', 'a')"); };

    set("wal");
    enqueue();
    EXPECT_EQ(wal_wakeups(), 1);
    EXPECT_EQ(count("outbox_wakeup"), 0);
    set("polling");
    enqueue();
    EXPECT_EQ(wal_wakeups(), 0);
    EXPECT_EQ(count("outbox_wakeup"), 1);
    set("both");
    enqueue();
    EXPECT_EQ(wal_wakeups(), 1);
    EXPECT_EQ(count("outbox_wakeup"), 2);
}

TEST_F(Enqueue, WakeupCarriesIdDispatchKeyAndXidAndNothingElse) {
    const Slot slot(session, database, "test_decoding");
    const auto id =
        session.value<Uuid>("SELECT gantry.enqueue('orders', 'a.b', 'SECRET', key => 'k\"1\\')");
    const auto change = session.value<std::string>(
        "SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL) WHERE data LIKE 'message:%'",
        {slot.name});
    const auto xid =
        session.value<std::string>("SELECT wake_xid::text FROM gantry.job WHERE id = $1", {id});
    EXPECT_THAT(change, HasSubstr("transactional: 1 prefix: gantry,"));
    EXPECT_THAT(change, HasSubstr(R"(content:{"queue":"orders","id":")" + id.to_string() +
                                  R"(","dispatch":1,"key":"k\"1\\","xid":")" + xid + R"("})"));
}

TEST_F(Enqueue, LaterJobGetsATimerAndNoWakeup) {
    session.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
    const auto id = session.value<Uuid>(
        "SELECT gantry.enqueue('default', 'gantry.noop', run_at => now() + '1 hour')");
    const auto rows = session.exec(
        "SELECT j.state::text, t.dispatch, t.run_at = j.run_at FROM gantry.job j "
        "JOIN gantry.job_timer t ON t.job = j.id WHERE j.id = $1",
        {id});
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.front().get<std::string>(0), "scheduled");
    EXPECT_EQ(rows.front().get<int>(1), 1);
    EXPECT_TRUE(rows.front().get<bool>(2));
    EXPECT_EQ(count("outbox_wakeup"), 0);
}

TEST_F(Enqueue, PastRunAtMeansNow) {
    const auto id = session.value<Uuid>(
        "SELECT gantry.enqueue('default', 'gantry.noop', run_at => now() - interval '1 hour')");
    EXPECT_EQ(session.value<std::string>("SELECT state::text FROM gantry.job WHERE id = $1", {id}),
              "queued");
}

TEST_F(Enqueue, UniqueKeyReturnsTheExistingJob) {
    const auto enqueue = "SELECT gantry.enqueue('default', 'a', unique_key => 'u')";
    const auto first = session.value<Uuid>(enqueue);
    EXPECT_EQ(session.value<Uuid>(enqueue), first);
    EXPECT_EQ(count("job"), 1);
    // Another queue, another scope.
    EXPECT_NE(session.value<Uuid>("SELECT gantry.enqueue('orders', 'a', unique_key => 'u')"),
              first);
    session.exec("DELETE FROM gantry.job_unique WHERE job = $1", {first});
    EXPECT_NE(session.value<Uuid>(enqueue), first);
}

TEST_F(Enqueue, UniqueKeyConflictLeavesTheCallersTransactionUsable) {
    session.exec("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    session.exec("CREATE TABLE mine (x int)");
    session.exec("BEGIN");
    session.exec("INSERT INTO mine VALUES (1)");
    session.exec("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    session.exec("COMMIT");
    EXPECT_EQ(session.value<std::int64_t>("SELECT count(*) FROM mine"), 1);
}

TEST_F(Enqueue, ConcurrentUniqueKeysMakeOneJob) {
    Session other(database);
    session.exec("BEGIN");
    const auto first =
        session.value<Uuid>("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    auto second = std::async(std::launch::async, [&] {
        return other.value<Uuid>("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    });
    // The second waits for the first's outcome: seen in the server, not guessed by time.
    Session watcher(database);
    while (watcher.value<std::int64_t>("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                       "current_database() AND wait_event_type = 'Lock'") == 0) {
    }
    session.exec("COMMIT");
    EXPECT_EQ(second.get(), first);
    EXPECT_EQ(count("job"), 1);
}

TEST_F(Enqueue, UniqueKeyOfARolledBackTransactionIsFree) {
    Session other(database);
    session.exec("BEGIN");
    const auto first =
        session.value<Uuid>("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    auto second = std::async(std::launch::async, [&] {
        return other.value<Uuid>("SELECT gantry.enqueue('default', 'a', unique_key => 'u')");
    });
    Session watcher(database);
    while (watcher.value<std::int64_t>("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                       "current_database() AND wait_event_type = 'Lock'") == 0) {
    }
    session.exec("ROLLBACK");
    EXPECT_NE(second.get(), first);
    EXPECT_EQ(count("job"), 1);
}

TEST_F(Enqueue, RepeatWithTheSameIdMakesNoSecondJob) {
    session.exec("UPDATE gantry.setting SET value = 'polling' WHERE name LIKE 'outbox.%'");
    const auto id = Uuid::v7();
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(session.value<Uuid>("SELECT gantry.enqueue('default', 'a', id => $1)", {id}), id);
    }
    EXPECT_EQ(count("job"), 1);
    EXPECT_EQ(count("outbox_wakeup"), 1);
    // A repeat does not take a unique key away from anybody.
    session.exec("SELECT gantry.enqueue('default', 'a', id => $1, unique_key => 'late')", {id});
    EXPECT_EQ(count("job_unique"), 0);
}

TEST_F(Enqueue, ManyEnqueuesAllOrNone) {
    const auto rows = session.exec(R"(SELECT ordinal, id FROM gantry.enqueue_many('[
        {"queue": "default", "type": "a", "payload": {"x": 1}},
        {"queue": "orders", "type": "b", "payload_base64": "AAEC", "key": "k", "max_attempts": 3,
         "tags": {"t": "v"}, "timeout": "10 s"}]'))");
    ASSERT_EQ(rows.size(), 2U);
    const auto jobs = session.exec(
        "SELECT convert_from(payload, 'UTF8'), content_type FROM gantry.job WHERE id = $1",
        {rows[0].get<Uuid>(1)});
    EXPECT_EQ(jobs.front().get<std::string>(0), R"({"x": 1})");
    EXPECT_EQ(jobs.front().get<std::string>(1), "application/json");
    EXPECT_EQ(session.exec("SELECT payload FROM gantry.job WHERE id = $1", {rows[1].get<Uuid>(1)})
                  .front()
                  .bytes(0),
              std::string("\0\1\2", 3));

    const auto error = session.error(R"(SELECT * FROM gantry.enqueue_many('[
        {"queue": "default", "type": "a"}, {"queue": "nope", "type": "a"}]'))");
    EXPECT_EQ(error.reason, "22023");
    EXPECT_THAT(error.message, StartsWith("gantry.enqueue_many: jobs[2]: queue is not declared"));
    EXPECT_EQ(count("job"), 2);
    EXPECT_THAT(session.error(R"(SELECT * FROM gantry.enqueue_many('[{"que": "x"}]'))").message,
                HasSubstr("jobs[1] may have queue, type, payload"));
    EXPECT_THAT(
        session
            .error(
                R"(SELECT * FROM gantry.enqueue_many('[{"queue":"default","type":"a","id":"x"}]'))")
            .message,
        HasSubstr("wrong form"));
}

struct Refusal {
    const char* arguments;
    const char* says;
};

constexpr Refusal kRefusals[] = {
    Refusal{"'Nope!', 'a'", "queue must be 1 to 63 of a-z 0-9 -"},
    Refusal{"NULL, 'a'", "queue must be 1 to 63"},
    Refusal{"'nope', 'a'",
            "queue is not declared in gantry.queue; declared: default, orders, "
            "reports"},
    Refusal{"'default', ''", "type must be 1 to 200"},
    Refusal{"'default', NULL", "type must be 1 to 200"},
    Refusal{"'default', '9a'", "start with a letter"},
    Refusal{"'default', repeat('a', 201)", "type must be 1 to 200"},
    Refusal{"'default', 'a', convert_to(repeat('x', 1048577), 'UTF8')", "1 MiB"},
    Refusal{"'default', 'a', NULL", "payload must be"},
    Refusal{"'default', 'a', '', E'text/\\n'", "content_type must be"},
    Refusal{"'default', 'a', key => ''", "key must be 1 to 255 bytes"},
    Refusal{"'default', 'a', key => repeat('ä', 128)", "key must be 1 to 255 bytes"},
    Refusal{"'default', 'a', max_attempts => 0", "max_attempts must be 1 to 1000"},
    Refusal{"'default', 'a', max_attempts => 1001", "max_attempts must be 1 to 1000"},
    Refusal{"'default', 'a', run_at => 'infinity'", "run_at must be at most 10 years ahead"},
    Refusal{"'default', 'a', run_at => now() + interval '11 years'", "run_at must be"},
    Refusal{"'default', 'a', timeout => '0'", "timeout must be more than 0"},
    Refusal{"'default', 'a', timeout => '25 hours'", "at most 24 hours"},
    Refusal{"'default', 'a', unique_key => ''", "unique_key must be 1 to 255 bytes"},
    Refusal{"'default', 'a', id => gen_random_uuid()", "id must be a version 7 UUID"},
    Refusal{"'default', 'a', id => gantry.uuid_v7(now() + interval '2 days')", "future"},
    Refusal{"'default', 'a', tags => '[]'", "tags must be a flat JSON object of strings"},
    Refusal{"'default', 'a', tags => '{\"a\": 1}'", "tags must be"},
    Refusal{"'default', 'a', tags => '{\"a\": {\"b\": \"c\"}}'", "tags must be"},
    Refusal{"'default', 'a', source => 'A'", "source must be"},
    Refusal{"'default', 'a', run_at => now() + interval '2 h', expires_at => now()",
            "expires_at must be after run_at"}};

TEST_F(Enqueue, RefusesNamingTheParameterAndWhatIsAllowed) {
    for (const auto& refusal : kRefusals) {
        SCOPED_TRACE(refusal.arguments);
        const auto error =
            session.error("SELECT gantry.enqueue(" + std::string(refusal.arguments) + ")");
        EXPECT_EQ(error.code, Code::invalid_argument);
        EXPECT_EQ(error.reason, "22023");
        EXPECT_THAT(error.message, StartsWith("gantry.enqueue: "));
        EXPECT_THAT(error.message, HasSubstr(refusal.says));
    }
    EXPECT_EQ(count("job"), 0);
}

TEST_F(Enqueue, TakesWhatIsJustAllowed) {
    session.exec(
        "SELECT gantry.enqueue('default', repeat('a', 200), "
        "convert_to(repeat('x', 1048576), 'UTF8'), key => repeat('k', 255), max_attempts => 1000, "
        "timeout => '24 hours', unique_key => repeat('u', 255), tags => '{\"a\": \"b\"}', "
        "expires_at => now() + interval '1 h')");
    EXPECT_EQ(count("job"), 1);
}

TEST_F(Enqueue, IgnoresABrokenTrace) {
    const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const auto trace = [&](const std::string& traceparent) {
        const auto id = session.value<Uuid>(
            "SELECT gantry.enqueue('default', 'a', traceparent => $1)", {traceparent});
        return session.value<std::optional<std::string>>(
            "SELECT traceparent FROM gantry.job WHERE id = $1", {id});
    };
    EXPECT_EQ(trace(good), good);
    EXPECT_EQ(trace("rubbish"), std::nullopt);
}

}  // namespace
}  // namespace gantry::testing
