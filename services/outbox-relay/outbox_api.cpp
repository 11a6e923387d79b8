#include "outbox_api.hpp"

#include "gantry/rpc/unary.hpp"

#include <charconv>
#include <string>

namespace gantry::relay {
namespace {

namespace v1 = outbox::v1;

constexpr int kDefaultPage = 100;
constexpr int kLargestPage = 1'000;
constexpr milliseconds kLimit{10'000};

constexpr const char* kStats = R"(
    SELECT (SELECT count(*) FROM gantry.outbox_parked),
           (SELECT epoch FROM gantry.outbox_lease WHERE shard = 0),
           (SELECT max(updated_at) FROM (
                SELECT updated_at FROM gantry.outbox_checkpoint
                UNION ALL SELECT updated_at FROM gantry.outbox_cursor) progress))";

constexpr const char* kParked = R"(
    SELECT id, topic, type, reason, parked_at, coalesce(octet_length(payload), 0)
    FROM gantry.outbox_parked WHERE id > $1 ORDER BY id LIMIT $2)";

void set_time(google::protobuf::Timestamp& target, Instant at) {
    const auto since = at.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    target.set_seconds(seconds.count());
    target.set_nanos(static_cast<int>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds).count()));
}

Result<std::int64_t> parse_token(const std::string& token) {
    std::int64_t id = 0;
    if (token.empty()) {
        return id;
    }
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), id);
    if (error != std::errc{} || end != token.data() + token.size() || id < 0) {
        return invalid("page_token", "must be the next_page_token of an answer");
    }
    return id;
}

}  // namespace

Result<v1::OutboxStats> get_stats(postgres::Pool& pool, const Stats& stats, Deadline deadline) {
    const auto rows = TRY(pool.exec(deadline.earlier(Deadline::after(kLimit)), kStats));
    const auto row = rows.front();
    v1::OutboxStats answer;
    switch (stats.mode()) {
        case ReaderMode::wal:
            answer.set_mode(v1::WAL);
            break;
        case ReaderMode::polling:
            answer.set_mode(v1::POLLING);
            break;
        case ReaderMode::unknown:
            break;
    }
    answer.set_leader(stats.leader());
    answer.set_epoch(stats.leader() ? stats.epoch()
                                    : row.get<std::optional<std::int64_t>>(1).value_or(0));
    answer.set_published(stats.published());
    answer.set_in_flight(stats.in_flight());
    answer.set_parked(row.get<std::int64_t>(0));
    const auto age = stats.oldest_age();
    answer.mutable_oldest_unpublished_age()->set_seconds(age.count() / 1'000);
    answer.mutable_oldest_unpublished_age()->set_nanos(static_cast<int>(age.count() % 1'000) *
                                                       1'000'000);
    if (const auto stored = row.get<std::optional<Instant>>(2)) {
        set_time(*answer.mutable_checkpoint_time(), *stored);
    }
    return answer;
}

Result<v1::ListParkedResponse> list_parked(postgres::Pool& pool,
                                           const v1::ListParkedRequest& request,
                                           Deadline deadline) {
    const int size = request.page_size() == 0 ? kDefaultPage : request.page_size();
    if (size < 1 || size > kLargestPage) {
        return invalid("page_size", "must be 1 to 1000");
    }
    const auto after = TRY(parse_token(request.page_token()));
    const auto rows =
        TRY(pool.exec(deadline.earlier(Deadline::after(kLimit)), kParked, {after, size + 1}));
    v1::ListParkedResponse answer;
    for (const auto row : rows) {
        if (answer.records_size() == size) {
            answer.set_next_page_token(std::to_string(answer.records(size - 1).id()));
            break;
        }
        auto& record = *answer.add_records();
        record.set_id(row.get<std::int64_t>(0));
        record.set_topic(row.get<std::string>(1));
        record.set_type(row.get<std::string>(2));
        record.set_reason(row.get<std::string>(3));
        set_time(*record.mutable_park_time(), row.get<Instant>(4));
        record.set_payload_bytes(row.get<std::int64_t>(5));
    }
    return answer;
}

grpc::ServerUnaryReactor* OutboxApi::GetStats(grpc::CallbackServerContext* context,
                                              const v1::GetStatsRequest* request,
                                              v1::OutboxStats* response) {
    return rpc::unary(executor_, context, request, response,
                      [this](const rpc::Call& call, const v1::GetStatsRequest&) {
                          return get_stats(pool_, stats_, call.deadline);
                      });
}

grpc::ServerUnaryReactor* OutboxApi::ListParked(grpc::CallbackServerContext* context,
                                                const v1::ListParkedRequest* request,
                                                v1::ListParkedResponse* response) {
    return rpc::unary(executor_, context, request, response,
                      [this](const rpc::Call& call, const v1::ListParkedRequest& list) {
                          return list_parked(pool_, list, call.deadline);
                      });
}

}  // namespace gantry::relay
