#include "gateway_fixture.hpp"

#include "gantry/rpc/channel.hpp"
#include "gantry/rpc/status.hpp"

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

#include "gantry/outbox/v1/outbox.grpc.pb.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>
#include <set>
#include <string>
#include <thread>

namespace gantry::testing {
namespace {

using namespace std::chrono_literals;

class PassThrough : public GatewayTest {
protected:
    void connect() {
        channel = rpc::make_channel(gateway->grpc());
        jobs = jv1::JobService::NewStub(channel);
    }
    void SetUp() override {
        start();
        connect();
    }
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<jv1::JobService::Stub> jobs;
};

TEST_F(PassThrough, CarriesCallsWithoutReadingThem) {
    grpc::ClientContext context;
    jv1::EnqueueRequest request;
    request.set_type("t");
    request.set_payload(std::string(1024 * 1024, '\0'));
    // A field of a newer proto survives the way through.
    request.GetReflection()->MutableUnknownFields(&request)->AddVarint(9999, 7);
    jv1::Job job;
    const grpc::Status status = jobs->Enqueue(&context, request, &job);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(job.payload().size(), 1024U * 1024);
    EXPECT_EQ(
        script.last_enqueue.GetReflection()->GetUnknownFields(script.last_enqueue).field_count(),
        1);
}

TEST_F(PassThrough, CarriesErrorsWithTheirDetails) {
    script.failure =
        Error{Code::invalid_argument, "1 fault", "BAD", {{"queue", "must be declared"}}};
    grpc::ClientContext context;
    jv1::Job job;
    const grpc::Status status = jobs->Enqueue(&context, {}, &job);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    const Error error = rpc::to_error(status);
    EXPECT_EQ(error.message, "1 fault");
    EXPECT_EQ(error.reason, "BAD");
    ASSERT_EQ(error.fields.size(), 1U);
    EXPECT_EQ(error.fields[0].field, "queue");
}

TEST_F(PassThrough, CarriesTheDeadlineAndTheTraceButNoOtherMetadata) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 5s);
    const std::string id = "0af7651916cd43dd8448eb211c80319c";
    context.AddMetadata("traceparent", "00-" + id + "-b7ad6b7169203331-01");
    context.AddMetadata("tracestate", "a=b");
    context.AddMetadata("authorization", "Bearer secret");
    context.AddMetadata("gantry-principal", "admin");
    jv1::Job job;
    jv1::GetJobRequest request;
    request.set_id("a");
    ASSERT_TRUE(jobs->Get(&context, request, &job).ok());
    // gRPC rounds what is left up on the way.
    EXPECT_LE(script.last_deadline, 6s);
    EXPECT_GT(script.last_deadline, 1s);
    EXPECT_EQ(script.last_traceparent.substr(3, 32), id);
    EXPECT_EQ(script.last_metadata.count("tracestate"), 1U);
    EXPECT_EQ(script.last_metadata.count("authorization"), 0U);
    EXPECT_EQ(script.last_metadata.count("gantry-principal"), 0U);
}

TEST_F(PassThrough, GivesACallWithoutADeadlineOne) {
    grpc::ClientContext context;
    jv1::Job job;
    ASSERT_TRUE(jobs->Get(&context, {}, &job).ok());
    EXPECT_LE(script.last_deadline, 31s);
}

TEST_F(PassThrough, EndsTheCallWhenItsDeadlinePasses) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 200ms);
    jv1::GetJobRequest request;
    request.set_id("hang");
    jv1::Job job;
    EXPECT_EQ(jobs->Get(&context, request, &job).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    EXPECT_TRUE(eventually([&] { return script.waiting == 0; }));
}

TEST_F(PassThrough, CancelsTheCallOfAClientThatLeft) {
    grpc::ClientContext context;
    std::jthread client([&] {
        jv1::GetJobRequest request;
        request.set_id("hang");
        jv1::Job job;
        EXPECT_EQ(jobs->Get(&context, request, &job).error_code(), grpc::StatusCode::CANCELLED);
    });
    ASSERT_TRUE(eventually([&] { return script.waiting == 1; }));
    context.TryCancel();
    EXPECT_TRUE(eventually([&] { return script.cancelled == 1 && script.waiting == 0; }));
}

TEST_F(PassThrough, SaysWhichBackendIsAway) {
    grpc::ClientContext context;
    const auto outbox = gantry::outbox::v1::OutboxService::NewStub(channel);
    gantry::outbox::v1::OutboxStats stats;
    const grpc::Status status = outbox->GetStats(&context, {}, &stats);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(status.error_message(), "outbox-relay cannot be reached.");
    EXPECT_EQ(rpc::to_error(status).reason, "BACKEND_UNAVAILABLE");
}

TEST_F(PassThrough, RefusesMethodsThatAreNotPublic) {
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    const grpc::Slice empty("");
    grpc::ByteBuffer request(&empty, 1);
    grpc::ByteBuffer answer;
    std::promise<grpc::Status> done;
    stub.UnaryCall(&context, "/gantry.secret.v1.Service/Do", {}, &request, &answer,
                   [&](grpc::Status status) { done.set_value(std::move(status)); });
    const grpc::Status status = done.get_future().get();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    const std::string text = gateway->process().metrics.text();
    EXPECT_EQ(text.find("secret"), std::string::npos) << "callers cannot make labels";
}

TEST_F(PassThrough, CarriesManyCallsAtOnce) {
    std::atomic<int> good{0};
    {
        std::vector<std::jthread> clients;
        for (int i = 0; i < 8; ++i) {
            clients.emplace_back([&] {
                for (int n = 0; n < 50; ++n) {
                    grpc::ClientContext context;
                    jv1::GetJobRequest request;
                    request.set_id(std::to_string(n));
                    jv1::Job job;
                    good += jobs->Get(&context, request, &job).ok() && job.id() == request.id();
                }
            });
        }
    }
    EXPECT_EQ(good, 400);
}

TEST_F(PassThrough, TellsItsHealth) {
    namespace hv1 = grpc::health::v1;
    const auto health = hv1::Health::NewStub(channel);
    const auto check = [&](const std::string& service) {
        grpc::ClientContext context;
        hv1::HealthCheckRequest request;
        request.set_service(service);
        hv1::HealthCheckResponse response;
        const grpc::Status status = health->Check(&context, request, &response);
        return status.ok() ? response.status() : hv1::HealthCheckResponse::SERVICE_UNKNOWN;
    };
    EXPECT_TRUE(eventually([&] { return check("") == hv1::HealthCheckResponse::SERVING; }));
    EXPECT_EQ(check("gantry.jobs.v1.JobService"), hv1::HealthCheckResponse::SERVING);
    EXPECT_EQ(check("nobody"), hv1::HealthCheckResponse::SERVICE_UNKNOWN);
    gateway->process().lifetime.enter(hosting::Phase::stopping);
    EXPECT_EQ(check(""), hv1::HealthCheckResponse::NOT_SERVING);
}

template <class Reflection, class Request, class Response>
void expect_reflection(const std::shared_ptr<grpc::Channel>& channel) {
    const auto stub = Reflection::NewStub(channel);
    grpc::ClientContext context;
    const auto stream = stub->ServerReflectionInfo(&context);
    Request request;
    Response response;
    request.set_list_services("");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    std::set<std::string> names;
    for (const auto& service : response.list_services_response().service()) {
        names.insert(service.name());
    }
    EXPECT_TRUE(names.contains("gantry.jobs.v1.JobService"));
    EXPECT_TRUE(names.contains("gantry.orders.v1.OrderService"));
    request.set_file_containing_symbol("gantry.orders.v1.OrderService");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_GT(response.file_descriptor_response().file_descriptor_proto_size(), 3);
    request.set_file_by_filename("nothing.proto");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.error_response().error_code(), 5);
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(PassThrough, ShowsItsServicesByReflection) {
    namespace alpha = grpc::reflection::v1alpha;
    namespace stable = grpc::reflection::v1;
    expect_reflection<alpha::ServerReflection, alpha::ServerReflectionRequest,
                      alpha::ServerReflectionResponse>(channel);
    expect_reflection<stable::ServerReflection, stable::ServerReflectionRequest,
                      stable::ServerReflectionResponse>(channel);
}

}  // namespace
}  // namespace gantry::testing
