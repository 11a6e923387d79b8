#include "hl7_api.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/rpc/unary.hpp"

#include <algorithm>
#include <chrono>

namespace gantry::mllp {
namespace {

using hl7::v1::GetMessageRequest;
using hl7::v1::Hl7Message;
using hl7::v1::ListMessagesRequest;
using hl7::v1::ListMessagesResponse;

constexpr int kDefaultPage = 100;
constexpr int kLargestPage = 1000;

// By id, newest first: ids are UUIDv7. A filter that is NULL is none.
constexpr std::string_view kList = R"(
    SELECT id, received_at, size, message_code, trigger_event, version, ack_code, facility, job_id,
        control_id, sending_application
    FROM gantry.hl7_message
    WHERE ($1::uuid IS NULL OR id < $1)
      AND ($2::text IS NULL OR message_code = $2)
      AND ($3::text IS NULL OR facility = $3)
      AND ($4::bytea IS NULL OR control_id = $4)
    ORDER BY id DESC
    LIMIT $5)";

constexpr std::string_view kGet = R"(
    SELECT id, received_at, size, message_code, trigger_event, version, ack_code, facility, job_id,
        control_id, sending_application
    FROM gantry.hl7_message
    WHERE id = $1)";

// Protocol buffers carry UTF-8 only.
std::string shown(std::string bytes) {
    return is_utf8(bytes) ? bytes : hex_encode(bytes);
}

Hl7Message to_proto(const postgres::Row& row) {
    Hl7Message message;
    message.set_id(row.get<std::string>("id"));
    const auto at = row.get<Instant>("received_at").time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
    message.mutable_receive_time()->set_seconds(seconds.count());
    message.mutable_receive_time()->set_nanos(static_cast<std::int32_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(at - seconds).count()));
    message.set_size_bytes(row.get<std::int64_t>("size"));
    message.set_message_code(row.get<std::string>("message_code"));
    message.set_trigger_event(row.get<std::string>("trigger_event"));
    message.set_version(row.get<std::string>("version"));
    message.set_acknowledgement(row.get<std::string>("ack_code"));
    message.set_sending_facility(row.get<std::string>("facility"));
    message.set_job_id(row.get<std::optional<std::string>>("job_id").value_or(""));
    message.set_control_id(shown(row.bytes(row.column_number("control_id"))));
    const auto application = row.bytes(row.column_number("sending_application"));
    message.set_sending_application(shown(application.substr(0, application.find('^'))));
    return message;
}

postgres::Param filter(const std::string& text) {
    return text.empty() ? postgres::Param(nullptr) : postgres::Param(text);
}

Result<ListMessagesResponse> list(postgres::Pool& pool, const ListMessagesRequest& request,
                                  Deadline deadline) {
    if (request.page_size() < 0 || request.page_size() > kLargestPage) {
        return invalid("pageSize", "1 to 1000");
    }
    const int size = request.page_size() == 0 ? kDefaultPage : request.page_size();
    postgres::Param before(nullptr);
    if (!request.page_token().empty()) {
        const auto id = Uuid::parse(request.page_token());
        if (!id) {
            return invalid("pageToken", "the nextPageToken of the page before");
        }
        before = postgres::Param(*id);
    }
    const auto control_id = request.control_id().empty()
                                ? postgres::Param(nullptr)
                                : postgres::Param(postgres::Bytes{request.control_id()});
    const auto rows = TRY(pool.exec(deadline, kList,
                                    {before, filter(request.message_code()),
                                     filter(request.sending_facility()), control_id, size + 1}));
    ListMessagesResponse response;
    for (const auto row : rows) {
        if (response.messages_size() == size) {
            response.set_next_page_token(response.messages(size - 1).id());
            break;
        }
        *response.add_messages() = to_proto(row);
    }
    return response;
}

Result<Hl7Message> get(postgres::Pool& pool, const GetMessageRequest& request, Deadline deadline) {
    const auto id = Uuid::parse(request.id());
    if (!id) {
        return invalid("id", "a UUID");
    }
    const auto rows = TRY(pool.exec(deadline, kGet, {*id}));
    if (rows.empty()) {
        return fail(Code::not_found, "There is no HL7 message with this id.", "MESSAGE_NOT_FOUND");
    }
    return to_proto(rows.front());
}

}  // namespace

grpc::ServerUnaryReactor* Hl7Api::ListMessages(grpc::CallbackServerContext* context,
                                               const ListMessagesRequest* request,
                                               ListMessagesResponse* response) {
    return rpc::unary(*executor_, context, request, response,
                      [pool = pool_](const rpc::Call& call, const ListMessagesRequest& wanted) {
                          return list(*pool, wanted, call.deadline);
                      });
}

grpc::ServerUnaryReactor* Hl7Api::GetMessage(grpc::CallbackServerContext* context,
                                             const GetMessageRequest* request,
                                             Hl7Message* response) {
    return rpc::unary(*executor_, context, request, response,
                      [pool = pool_](const rpc::Call& call, const GetMessageRequest& wanted) {
                          return get(*pool, wanted, call.deadline);
                      });
}

}  // namespace gantry::mllp
