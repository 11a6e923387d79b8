// Hl7Service over gRPC: facts about stored messages, a page at a time, never their bodies.

#include "gantry/rpc/server.hpp"
#include "hl7_api.hpp"
#include "listener_fixture.hpp"

#include <grpcpp/grpcpp.h>

namespace gantry::mllp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ApiTest : public ListenerTest {
protected:
    ApiTest() {
        rpc::ServerOptions settings;
        settings.listen = "127.0.0.1:0";
        server.emplace(settings, context);
        server->add(std::make_unique<Hl7Api>(server->executor(), pool));
        EXPECT_TRUE(server->start({}).has_value());
        stub = hl7::v1::Hl7Service::NewStub(
            grpc::CreateChannel(server->address(), grpc::InsecureChannelCredentials()));
    }
    ~ApiTest() override {
        EXPECT_TRUE(server->stop(Deadline::after(std::chrono::seconds{10})).has_value());
    }

    void send(const std::vector<std::string>& messages) {
        auto client = connect();
        for (const auto& message : messages) {
            client.send_message(message);
            ASSERT_EQ(verdict(client.answer()).substr(0, 2), "AA");
        }
    }

    grpc::Status list(const hl7::v1::ListMessagesRequest& request) {
        grpc::ClientContext call;
        call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{20});
        response.Clear();
        return stub->ListMessages(&call, request, &response);
    }

    std::vector<std::string> control_ids() const {
        std::vector<std::string> ids;
        for (const auto& message : response.messages()) {
            ids.push_back(message.control_id());
        }
        return ids;
    }

    grpc::Status get(const std::string& id, hl7::v1::Hl7Message& message) {
        grpc::ClientContext call;
        call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{20});
        hl7::v1::GetMessageRequest request;
        request.set_id(id);
        return stub->GetMessage(&call, request, &message);
    }

    std::optional<rpc::Server> server;
    std::unique_ptr<hl7::v1::Hl7Service::Stub> stub;
    hl7::v1::ListMessagesResponse response;
};

TEST_F(ApiTest, ListsMessagesNewestFirstAPageAtATime) {
    begin();
    send({order("1"), order("2"), order("3"), order("4"), order("5")});
    hl7::v1::ListMessagesRequest request;
    request.set_page_size(2);
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("5", "4"));
    request.set_page_token(response.next_page_token());
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("3", "2"));
    request.set_page_token(response.next_page_token());
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("1"));
    EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(ApiTest, FindsMessagesByCodeFacilityAndControlId) {
    begin();
    send({order("1"), "MSH|^~\\&|LAB^x|SOUTH|||1||ORU^R01|r1|P|2.3\r",
          "MSH|^~\\&|A|B|||1||ADT^A01|\xFF\xFE|P|2.3\r"});
    hl7::v1::ListMessagesRequest request;
    request.set_message_code("ORU");
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("r1"));
    EXPECT_EQ(response.messages(0).sending_application(), "LAB");
    request.Clear();
    request.set_sending_facility("NORTH");
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("1"));
    request.Clear();
    request.set_control_id("r1");
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("r1"));
    request.set_control_id("none");
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), IsEmpty());
    // A control id that is no text is shown in hexadecimal.
    request.Clear();
    request.set_message_code("ADT");
    ASSERT_TRUE(list(request).ok());
    EXPECT_THAT(control_ids(), ElementsAre("fffe"));
}

TEST_F(ApiTest, ReadsAMessagesFacts) {
    begin();
    send({order("1")});
    ASSERT_TRUE(list({}).ok());
    ASSERT_EQ(response.messages_size(), 1);
    hl7::v1::Hl7Message message;
    ASSERT_TRUE(get(response.messages(0).id(), message).ok());
    EXPECT_EQ(message.message_code(), "ORM");
    EXPECT_EQ(message.trigger_event(), "O01");
    EXPECT_EQ(message.version(), "2.5");
    EXPECT_EQ(message.acknowledgement(), "AA");
    EXPECT_EQ(message.size_bytes(), static_cast<std::int64_t>(order("1").size()));
    EXPECT_EQ(message.job_id(),
              database.exec("SELECT id::text FROM gantry.job").front().get<std::string>(0));
    EXPECT_EQ(message.DebugString().find("4711"), std::string::npos);
}

TEST_F(ApiTest, SaysWhatIsWrongWithARequest) {
    begin();
    hl7::v1::Hl7Message message;
    EXPECT_EQ(get("nonsense", message).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(get(Uuid::v7().to_string(), message).error_code(), grpc::StatusCode::NOT_FOUND);
    hl7::v1::ListMessagesRequest request;
    request.set_page_size(1001);
    EXPECT_EQ(list(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    request.set_page_size(-1);
    EXPECT_EQ(list(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    request.set_page_size(1);
    request.set_page_token("nonsense");
    EXPECT_EQ(list(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace gantry::mllp
