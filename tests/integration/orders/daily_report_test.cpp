#include "fixture.hpp"

#include <nlohmann/json.hpp>

namespace gantry::orders {
namespace {

using jobs::Ending;

class DailyReportTest : public OrdersTest {
protected:
    void order_of(const std::string& number, const std::string& at, const std::string& facility,
                  const std::string& status, const std::string& processed_at = {}) {
        database.exec(
            "INSERT INTO orders.orders (id, number, facility, items, status, created_at, "
            "processed_at) VALUES (gantry.uuid_v7($2::timestamptz), $1, $3, '[]', $4, "
            "$2::timestamptz, nullif($5, '')::timestamptz)",
            {number, at, facility, status, processed_at});
    }
    nlohmann::json report(const std::string& day) {
        const auto rows = database.exec(
            "SELECT to_jsonb(r) FROM orders.daily_report r WHERE day = $1::date", {day});
        return rows.empty() ? nlohmann::json() : nlohmann::json::parse(rows.front().text(0));
    }
    const std::string kFire = R"({"schedule":"daily-report","fireTime":"2026-02-03T02:00:00.000Z",)"
                              R"("dataIntervalStart":"2026-02-02T00:00:00.000Z"})";
};

TEST_F(DailyReportTest, CountsTheDayInUtc) {
    order_of("1", "2026-02-01T23:59:59.999Z", "NORTH", "processed", "2026-02-02T00:00:00Z");
    order_of("2", "2026-02-02T00:00:00Z", "NORTH", "pending");
    order_of("3", "2026-02-02T12:00:00Z", "SOUTH", "failed");
    order_of("4", "2026-02-02T23:59:59.999Z", "NORTH", "processed", "2026-02-03T00:00:00Z");
    order_of("5", "2026-02-03T00:00:00Z", "NORTH", "pending");
    const auto job = enqueue("reports", "reports.daily", kFire);
    EXPECT_EQ(run(job), Ending::succeeded);
    const auto made = report("2026-02-02");
    EXPECT_EQ(made["created"], 3);
    EXPECT_EQ(made["processed"], 1);
    EXPECT_EQ(made["failed"], 1);
    EXPECT_EQ(made["by_facility"], (nlohmann::json{{"NORTH", 2}, {"SOUTH", 1}}));
    EXPECT_EQ(made["job_id"], job.id.to_string());
    EXPECT_EQ(events("orders.daily_report"), 1);
    EXPECT_EQ(read_job(job.id).result, R"({"day":"2026-02-02"})");
}

TEST_F(DailyReportTest, ADayWithoutOrdersHasAReportToo) {
    EXPECT_EQ(run(enqueue("reports", "reports.daily", kFire)), Ending::succeeded);
    EXPECT_EQ(report("2026-02-02")["created"], 0);
}

TEST_F(DailyReportTest, MadeAgainItReplacesTheRow) {
    run(enqueue("reports", "reports.daily", kFire));
    order_of("2", "2026-02-02T00:00:00Z", "NORTH", "pending");
    run(enqueue("reports", "reports.daily", kFire));
    EXPECT_EQ(report("2026-02-02")["created"], 1);
    EXPECT_EQ(count("orders.daily_report"), 1);
}

TEST_F(DailyReportTest, ATimeThatIsNoneIsDeadAtOnce) {
    EXPECT_EQ(run(enqueue("reports", "reports.daily", R"({"dataIntervalStart":"x"})")),
              Ending::dead);
}

}  // namespace
}  // namespace gantry::orders
