#include "schedule_api.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/time.hpp"
#include "gantry/cron/schedule.hpp"
#include "gantry/rpc/unary.hpp"

#include <google/protobuf/util/time_util.h>

#include <algorithm>

namespace gantry::scheduler {
namespace {

using google::protobuf::Duration;
using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

constexpr int kDefaultPageSize = 100;
constexpr int kLargestPageSize = 1000;
constexpr int kDefaultPreview = 10;
constexpr int kLargestPreview = 100;
constexpr std::size_t kLongestName = 63;

Timestamp to_timestamp(Instant at) {
    return TimeUtil::NanosecondsToTimestamp(
        std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

Result<Instant> to_instant(const Timestamp& at, const char* field) {
    // What a 64-bit count of nanoseconds holds, a little inside.
    constexpr std::int64_t kFirstSecond = -8'520'336'000;  // 1700-01-01
    constexpr std::int64_t kLastSecond = 9'214'646'400;    // 2262-01-01
    if (at.seconds() < kFirstSecond || at.seconds() >= kLastSecond || at.nanos() < 0 ||
        at.nanos() > 999'999'999) {
        return invalid(field, "must be a time from 1700 to 2261");
    }
    return Instant{std::chrono::seconds{at.seconds()} + std::chrono::nanoseconds{at.nanos()}};
}

Duration to_duration(milliseconds length) {
    return TimeUtil::MillisecondsToDuration(length.count());
}

Result<int> page_size(int asked) {
    if (asked < 0 || asked > kLargestPageSize) {
        return invalid("page_size", "must be 1 to 1000, or 0 for 100");
    }
    return asked == 0 ? kDefaultPageSize : asked;
}

Result<std::string> decoded_token(const std::string& token) {
    constexpr std::size_t kLongest = 256;
    auto text =
        token.size() <= kLongest ? base64_decode(token) : fail(Code::invalid_argument, "too long");
    if (!text || !is_utf8(*text) || text->find('\0') != std::string::npos) {
        return invalid("page_token", "must be the next_page_token of an earlier answer");
    }
    return std::move(*text);
}

Result<std::string> checked_name(const std::string& name) {
    if (name.empty() || name.size() > kLongestName || !std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        })) {
        return invalid("name", "must be 1 to 63 of a-z 0-9 -");
    }
    return name;
}

v1::FireOutcome to_outcome(const std::string& outcome) {
    if (outcome == "fired") {
        return v1::FIRED;
    }
    if (outcome == "missed") {
        return v1::MISSED;
    }
    if (outcome == "skipped") {
        return v1::SKIPPED;
    }
    return outcome == "failed" ? v1::FAILED : v1::FIRE_OUTCOME_UNSPECIFIED;
}

v1::Fire to_proto(const FireView& view, const std::string& schedule) {
    v1::Fire out;
    out.set_schedule(schedule);
    *out.mutable_fire_time() = to_timestamp(view.fire_time);
    *out.mutable_create_time() = to_timestamp(view.created_at);
    out.set_outcome(to_outcome(view.outcome));
    out.set_reason(view.reason);
    out.set_job_id(view.job_id ? view.job_id->to_string() : "");
    out.set_event_id(view.event_id.value_or(""));
    *out.mutable_due_time() = to_timestamp(view.due_at);
    out.set_count(view.count);
    *out.mutable_first_fire_time() = to_timestamp(view.first_fire_time);
    return out;
}

}  // namespace

v1::Schedule to_proto(const ScheduleView& view, Instant now) {
    const auto& definition = view.row.definition;
    v1::Schedule out;
    out.set_name(definition.name);
    out.set_spec(definition.spec);
    out.set_time_zone(definition.time_zone);
    out.set_paused(definition.paused.value_or(false));
    out.set_queue(definition.queue.value_or(""));
    out.set_type(definition.type);
    out.set_topic(definition.topic.value_or(""));
    out.set_dialect(definition.dialect);
    *out.mutable_jitter() = to_duration(definition.jitter);
    out.mutable_catch_up()->set_policy(std::string(to_string(definition.catch_up)));
    out.mutable_catch_up()->set_limit(definition.catch_up_limit);
    *out.mutable_catch_up()->mutable_window() = to_duration(definition.catch_up_window);
    out.set_data_interval(std::string(to_string(definition.data_interval)));
    out.set_key(definition.key.value_or(""));
    out.set_max_attempts(definition.max_attempts.value_or(0));
    out.set_owner(view.row.owner);
    out.set_pause_note(view.row.pause_note);
    if (view.last_fire) {
        *out.mutable_last_fire_time() = to_timestamp(*view.last_fire);
    }
    out.set_version(view.row.version);
    *out.mutable_create_time() = to_timestamp(view.created_at);
    *out.mutable_update_time() = to_timestamp(view.updated_at);
    const auto armed = ArmedSchedule::create(view.row.id, definition, view.row.armed_from);
    if (!armed) {
        out.set_description("not readable by this release");
        return out;
    }
    out.set_description(armed->spec.describe());
    const auto next = armed->spec.next_after(std::max(now, armed->armed_from), armed->zone);
    if (next && !armed->paused) {
        *out.mutable_next_fire_time() = to_timestamp(*next);
    }
    return out;
}

Result<v1::PreviewResponse> preview(const v1::PreviewRequest& request, Instant now) {
    Error error{Code::invalid_argument, "The preview cannot be made.", "INVALID_FIELD", {}};
    const auto take = [&error](const char* field, const Error& fault) {
        for (const auto& one : fault.fields) {
            error.fields.push_back(
                {field, one.field == field ? one.description : one.field + ": " + one.description});
        }
    };
    const auto dialect =
        cron::parse_dialect(request.dialect().empty() ? "automatic" : request.dialect());
    if (!dialect) {
        take("dialect", dialect.error());
    }
    const auto spec =
        cron::Schedule::parse(request.spec(), dialect.value_or(cron::Dialect::automatic));
    if (!spec) {
        take("spec", spec.error());
    }
    const auto zone =
        cron::TimeZone::load(request.time_zone().empty() ? "UTC" : request.time_zone());
    if (!zone) {
        take("time_zone", zone.error());
    }
    if (request.count() < 0 || request.count() > kLargestPreview) {
        error.fields.push_back({"count", "must be 1 to 100, or 0 for 10"});
    }
    const auto after =
        request.has_after() ? to_instant(request.after(), "after") : Result<Instant>(now);
    if (!after) {
        take("after", after.error());
    }
    if (!error.fields.empty()) {
        error.message = error.fields.front().field + ": " + error.fields.front().description;
        return std::unexpected(std::move(error));
    }

    v1::PreviewResponse out;
    out.set_description(spec->describe());
    const int count = request.count() == 0 ? kDefaultPreview : request.count();
    auto next = spec->next_after(*after, *zone);
    for (int i = 0; i < count && next; ++i) {
        *out.add_fire_times() = to_timestamp(*next);
        auto& fire = *out.add_fires();
        *fire.mutable_fire_time() = to_timestamp(*next);
        fire.set_local_time(zone->format(*next));
        if (spec->moved_by_transition(*next, *zone)) {
            fire.set_note("moved to the end of a skipped local time");
        }
        next = spec->next_after(*next, *zone);
    }
    return out;
}

grpc::ServerUnaryReactor* ScheduleApi::ListSchedules(grpc::CallbackServerContext* context,
                                                     const v1::ListSchedulesRequest* request,
                                                     v1::ListSchedulesResponse* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call,
               const v1::ListSchedulesRequest& list) -> Result<v1::ListSchedulesResponse> {
            const int size = TRY(page_size(list.page_size()));
            const auto after = TRY(decoded_token(list.page_token()));
            // One more than the page tells whether there is another page.
            auto found = TRY(queries_.list(after, size + 1, call.deadline));
            v1::ListSchedulesResponse out;
            if (found.size() > static_cast<std::size_t>(size)) {
                found.pop_back();
                out.set_next_page_token(base64_encode(found.back().row.definition.name));
            }
            for (const auto& view : found) {
                *out.add_schedules() = to_proto(view, clock_.now());
            }
            return out;
        });
}

grpc::ServerUnaryReactor* ScheduleApi::GetSchedule(grpc::CallbackServerContext* context,
                                                   const v1::GetScheduleRequest* request,
                                                   v1::Schedule* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call, const v1::GetScheduleRequest& get) -> Result<v1::Schedule> {
            const auto name = TRY(checked_name(get.name()));
            return to_proto(TRY(queries_.get(name, call.deadline)), clock_.now());
        });
}

grpc::ServerUnaryReactor* ScheduleApi::ListFires(grpc::CallbackServerContext* context,
                                                 const v1::ListFiresRequest* request,
                                                 v1::ListFiresResponse* response) {
    return rpc::unary(
        executor_, context, request, response,
        [this](const rpc::Call& call,
               const v1::ListFiresRequest& list) -> Result<v1::ListFiresResponse> {
            const auto name = TRY(checked_name(list.name()));
            const int size = TRY(page_size(list.page_size()));
            std::optional<Instant> before;
            if (!list.page_token().empty()) {
                const auto time = parse_rfc3339(TRY(decoded_token(list.page_token())));
                if (!time) {
                    return invalid("page_token",
                                   "must be the next_page_token of an earlier answer");
                }
                before = *time;
            }
            const auto schedule = TRY(queries_.get(name, call.deadline));
            auto found = TRY(queries_.fires(schedule.row.id, before, size + 1, call.deadline));
            v1::ListFiresResponse out;
            if (found.size() > static_cast<std::size_t>(size)) {
                found.pop_back();
                out.set_next_page_token(
                    base64_encode(format_rfc3339_micros(found.back().fire_time)));
            }
            for (const auto& view : found) {
                *out.add_fires() = to_proto(view, name);
            }
            return out;
        });
}

grpc::ServerUnaryReactor* ScheduleApi::Preview(grpc::CallbackServerContext* context,
                                               const v1::PreviewRequest* request,
                                               v1::PreviewResponse* response) {
    return rpc::unary(executor_, context, request, response,
                      [this](const rpc::Call& /*call*/, const v1::PreviewRequest& asked)
                          -> Result<v1::PreviewResponse> { return preview(asked, clock_.now()); });
}

}  // namespace gantry::scheduler
