#include "daily_report.hpp"

#include "gantry/base/time.hpp"
#include "gantry/outbox/publish.hpp"

#include <nlohmann/json.hpp>

namespace gantry::orders {
namespace {

// A repeat, and a report made again later, replace the row of the day.
constexpr std::string_view kReport = R"sql(
WITH span AS (
    SELECT $1::date AS day,
           $1::date::timestamp AT TIME ZONE 'UTC' AS low,
           ($1::date + 1)::timestamp AT TIME ZONE 'UTC' AS high
), accepted AS (
    SELECT o.facility, count(*) AS orders, count(*) FILTER (WHERE o.status = 'failed') AS failed
    FROM orders.orders o, span s
    WHERE o.id >= gantry.uuid_v7_floor(s.low) AND o.id < gantry.uuid_v7_floor(s.high)
    GROUP BY o.facility
)
INSERT INTO orders.daily_report AS r (day, created, processed, failed, by_facility, job_id)
SELECT s.day,
       (SELECT coalesce(sum(a.orders), 0) FROM accepted a),
       (SELECT count(*) FROM orders.orders o
        WHERE o.processed_at >= s.low AND o.processed_at < s.high),
       (SELECT coalesce(sum(a.failed), 0) FROM accepted a),
       (SELECT coalesce(jsonb_object_agg(a.facility, a.orders), '{}') FROM accepted a),
       $2::uuid
FROM span s
ON CONFLICT (day) DO UPDATE SET
    created = excluded.created, processed = excluded.processed, failed = excluded.failed,
    by_facility = excluded.by_facility, made_at = clock_timestamp(), job_id = excluded.job_id
RETURNING r.day, r.created, r.processed, r.failed, r.by_facility)sql";

Result<void> write_report(postgres::Transaction& transaction, const std::string& day,
                          const Uuid& job, const std::string& events_topic) {
    const auto rows = TRY(transaction.exec(kReport, {day, job}));
    const auto row = rows.front();
    const nlohmann::json body{
        {"day", std::string(row.text(0))},
        {"created", row.get<std::int64_t>(1)},
        {"processed", row.get<std::int64_t>(2)},
        {"failed", row.get<std::int64_t>(3)},
        {"byFacility", nlohmann::json::parse(row.text(4), nullptr, false)},
    };
    outbox::Event event;
    event.topic = events_topic;
    event.key = "daily_report";
    event.type = "orders.daily_report";
    event.source = "/gantry/orders";
    event.subject = day;
    event.payload = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    event.content_type = "application/json";
    event.headers["ce_id"] = job.to_string();
    TRY(outbox::publish(transaction, event));
    return {};
}

std::string day_of(Instant at) {
    return format_rfc3339(at).substr(0, 10);
}

}  // namespace

Result<std::string> report_day(std::string_view payload, Instant now) {
    const auto json = nlohmann::json::parse(payload, nullptr, false);
    if (json.is_object()) {
        if (const auto start = json.find("dataIntervalStart");
            start != json.end() && start->is_string()) {
            return day_of(TRY(parse_rfc3339(start->get_ref<const std::string&>())));
        }
        if (const auto fire = json.find("fireTime"); fire != json.end() && fire->is_string()) {
            now = TRY(parse_rfc3339(fire->get_ref<const std::string&>()));
        }
    }
    return day_of(now - std::chrono::hours{24});
}

jobs::Outcome report_daily(jobs::JobContext& context, const std::string& events_topic) {
    const auto day = report_day(context.payload(), context.id().time());
    if (!day) {
        return jobs::Outcome::dead(day.error(), "bad_payload");
    }
    context.result(R"({"day":")" + *day + R"("})", "application/json");
    context.transaction(
        [day = *day, job = context.id(), events_topic](postgres::Transaction& transaction) {
            return write_report(transaction, day, job, events_topic);
        });
    return jobs::Outcome::success();
}

}  // namespace gantry::orders
