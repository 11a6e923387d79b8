#include "gantry/postgres/pool.hpp"

#include "gantry/metrics/registry.hpp"
#include "gantry/postgres/schema.hpp"
#include "gantry/testing/test_database.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace gantry::postgres {
namespace {

using namespace std::chrono_literals;
using testing::TestDatabase;

class PoolTest : public ::testing::Test {
protected:
    Pool pool_of(int size) {
        auto options = database_.options();
        options.pool_size = size;
        return Pool(options, metrics_);
    }

    TestDatabase database_{TestDatabase::Content::empty};
    metrics::Registry metrics_;
};

TEST_F(PoolTest, CommitsWhatTheBodyDidAndRollsBackWhatFailed) {
    auto pool = pool_of(2);
    ASSERT_TRUE(pool.exec(Deadline::after(5s), "CREATE TABLE t (n int)"));
    const auto insert = [](int n) {
        return [n](Transaction& tx) -> Result<int> {
            TRY(tx.exec("INSERT INTO t VALUES ($1)", {n}));
            if (n < 0) {
                return fail(Code::invalid_argument, "negative");
            }
            return n;
        };
    };
    EXPECT_EQ(pool.transact(Deadline::after(5s), insert(7)).value(), 7);
    EXPECT_EQ(pool.transact(Deadline::after(5s), insert(-1)).error().code, Code::invalid_argument);
    const auto rows = database_.exec("SELECT sum(n)::int FROM t");
    EXPECT_EQ(rows.front().get<int>(0), 7);
}

TEST_F(PoolTest, ExceptionInABodyRollsBackAndSaysNothingOfItsText) {
    auto pool = pool_of(1);
    const auto outcome = pool.transact(Deadline::after(5s), [](Transaction&) -> Result<int> {
        throw std::runtime_error("Jane Doe");
    });
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Code::internal);
    EXPECT_EQ(outcome.error().message.find("Jane"), std::string::npos);
    EXPECT_TRUE(pool.exec(Deadline::after(5s), "SELECT 1"));
}

TEST_F(PoolTest, WaitsForAFreeConnectionUntilTheDeadline) {
    auto pool = pool_of(1);
    auto lease = pool.acquire(Deadline::after(5s));
    ASSERT_TRUE(lease);
    const auto refused = pool.acquire(Deadline::after(10ms));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "POOL_EXHAUSTED");
}

TEST_F(PoolTest, ThrowsAwayABrokenConnectionAndRecovers) {
    auto pool = pool_of(2);
    ASSERT_TRUE(pool.exec(Deadline::after(5s), "SELECT 1"));
    database_.kill_sessions();
    const auto lost = pool.exec(Deadline::after(5s), "SELECT 1");
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Code::unavailable);
    EXPECT_TRUE(pool.exec(Deadline::after(5s), "SELECT 1"));
}

TEST_F(PoolTest, UnreachableServerIsUnavailableAndGivesItsPlaceBack) {
    auto options = database_.options();
    options.url = "postgresql://nobody@127.0.0.1:1/none";
    options.pool_size = 1;
    Pool pool(options, metrics_);
    for (int i = 0; i < 3; ++i) {
        const auto refused = pool.exec(Deadline::after(1s), "SELECT 1");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::unavailable);
    }
}

TEST_F(PoolTest, AnOldSchemaIsToldWithWhatToRun) {
    auto pool = pool_of(1);
    const auto refused = require_schema(pool, Deadline::after(5s));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "SCHEMA_TOO_OLD");
    EXPECT_NE(refused.error().message.find("gantry-migrate up"), std::string::npos);
}

TEST_F(PoolTest, ManyThreadsShareFewConnections) {
    auto pool = pool_of(3);
    ASSERT_TRUE(pool.exec(Deadline::after(5s), "CREATE TABLE n (v int)"));
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 16; ++i) {
            threads.emplace_back([&] {
                for (int k = 0; k < 10; ++k) {
                    EXPECT_TRUE(pool.exec(Deadline::after(20s), "INSERT INTO n VALUES (1)"));
                }
            });
        }
    }
    EXPECT_EQ(database_.exec("SELECT count(*)::int FROM n").front().get<int>(0), 160);
}

}  // namespace
}  // namespace gantry::postgres
