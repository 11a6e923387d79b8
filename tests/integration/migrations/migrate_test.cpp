#include "support.hpp"

#include "migrator.hpp"

#include <sstream>
#include <thread>
#include <vector>

namespace gantry::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr migrate::Migration kFirst{1, "0001_first",
                                    "CREATE FUNCTION gantry.maintain_partitions() RETURNS TABLE "
                                    "(pending int) LANGUAGE sql AS 'SELECT 0';\n"
                                    "CREATE TABLE gantry.first (x int);\n"};
constexpr migrate::Migration kSecond{2, "0002_second", "CREATE TABLE gantry.second (x int);\n"};
constexpr migrate::Migration kBroken{
    2, "0002_broken", "CREATE TABLE gantry.half (x int);\nSELECT nothing FROM nowhere;\n"};

class Migrate : public ::testing::Test {
protected:
    Result<void> up(std::vector<migrate::Migration> migrations,
                    milliseconds limit = milliseconds{10'000}) {
        out.str({});
        const auto connection = database.connect();
        return migrate::migrate_up(*connection, migrations, Deadline::after(limit), out, out);
    }

    bool exists(const char* table) {
        return database.exec("SELECT to_regclass($1) IS NOT NULL", {table}).front().get<bool>(0);
    }

    TestDatabase database{TestDatabase::Content::empty};
    std::ostringstream out;
};

TEST_F(Migrate, AppliesWhatIsMissingAndTwiceChangesNothing) {
    ASSERT_TRUE(up({kFirst}));
    EXPECT_EQ(out.str(), "applied 0001_first\nnow at version 1\n");
    ASSERT_TRUE(up({kFirst, kSecond}));
    EXPECT_EQ(out.str(), "applied 0002_second\nnow at version 2\n");
    ASSERT_TRUE(up({kFirst, kSecond}));
    EXPECT_EQ(out.str(), "up to date at version 2\n");
}

TEST_F(Migrate, RefusesAChangedTextBeforeAnythingElse) {
    ASSERT_TRUE(up({kFirst}));
    auto changed = kFirst;
    changed.sql = "CREATE TABLE gantry.other (x int);\n";
    const auto done = up({changed, kSecond});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().reason, "MIGRATION_CHANGED");
    EXPECT_THAT(done.error().message, HasSubstr("0001_first was applied at"));
    EXPECT_FALSE(exists("gantry.second"));
}

TEST_F(Migrate, FailedOneLeavesNothingAndKeepsThoseBefore) {
    const auto done = up({kFirst, kBroken});
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("0002_broken was not applied"));
    EXPECT_THAT(done.error().message, HasSubstr("nowhere"));
    EXPECT_TRUE(exists("gantry.first"));
    EXPECT_FALSE(exists("gantry.half"));
    EXPECT_TRUE(up({kFirst, kSecond}));
}

TEST_F(Migrate, LeavesANewerDatabaseAlone) {
    ASSERT_TRUE(up({kFirst, kSecond}));
    ASSERT_TRUE(up({kFirst}));
    EXPECT_THAT(out.str(), HasSubstr("newer than this release: version 2, here 1"));
}

TEST_F(Migrate, GivesUpWhileAnotherRunHoldsTheLock) {
    Session holder(database);
    holder.exec("SELECT pg_advisory_lock(hashtextextended('gantry-migrate', 0))");
    const auto done = up({kFirst}, milliseconds{1});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::deadline_exceeded);
    EXPECT_FALSE(exists("gantry.first"));
}

TEST_F(Migrate, RunsFromSeveralPlacesAtOnceApplyEachOnce) {
    std::vector<std::jthread> threads;
    std::vector<int> codes(4, -1);
    for (auto& code : codes) {
        threads.emplace_back([&] { code = run_migrate(database.url(), "up"); });
    }
    threads.clear();
    EXPECT_THAT(codes, ElementsAre(0, 0, 0, 0));
    EXPECT_EQ(database.exec("SELECT count(*) FROM gantry.schema_migration").front().get<int>(0),
              static_cast<int>(migrate::embedded_migrations().size()));
}

TEST_F(Migrate, StatusChangesNothingAndTellsWhatIsPending) {
    const auto connection = database.connect();
    ASSERT_TRUE(migrate::print_status(*connection, std::vector{kFirst, kSecond}, out));
    EXPECT_EQ(out.str(), "0001_first  pending\n0002_second  pending\n");
    EXPECT_FALSE(exists("gantry.schema_migration"));
}

TEST_F(Migrate, NeedsNoSuperuser) {
    // Roles are the server's, so the name is this test's own.
    const auto role = "owner_of_" + database.name();
    database.exec("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
    database.exec("ALTER DATABASE " + database.name() + " OWNER TO " + role);
    const auto& url = database.url();
    const auto user = url.find("//") + 2;
    const auto at = url.find('@', user);
    const auto host = at == std::string::npos ? user : at + 1;
    const auto plain = url.substr(0, user) + role + ":secret@" + url.substr(host);
    EXPECT_EQ(run_migrate(plain, "up"), 0);
    EXPECT_EQ(run_migrate(plain, "set-mode polling"), 0);
    EXPECT_EQ(run_migrate(plain, "set-mode wal"), 70);  // needs REPLICATION
    EXPECT_EQ(database.exec("SELECT value FROM gantry.setting WHERE name = 'outbox.mode'")
                  .front()
                  .text(0),
              "polling");
    // The objects go with the database; the role can go once nothing is its own.
    Session session(database);
    session.exec("REASSIGN OWNED BY " + role + " TO CURRENT_USER");
    session.exec("DROP OWNED BY " + role);
    session.exec("DROP ROLE " + role);
}

TEST_F(Migrate, ExitCodesTellWhatHappened) {
    EXPECT_EQ(run_migrate(database.url(), "status"), 0);
    EXPECT_EQ(run_migrate(database.url(), "up"), 0);
    EXPECT_EQ(run_migrate(database.url(), "up"), 0);
    EXPECT_EQ(run_migrate(database.url(), "sideways"), 78);
    EXPECT_EQ(run_migrate("postgresql://postgres@127.0.0.1:1/postgres", "up --wait=1s"), 70);
    database.exec("UPDATE gantry.schema_migration SET checksum = 'x' WHERE version = 2");
    EXPECT_EQ(run_migrate(database.url(), "up"), 70);
}

}  // namespace
}  // namespace gantry::testing
