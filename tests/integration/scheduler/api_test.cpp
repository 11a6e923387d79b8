#include "gantry/rpc/server.hpp"
#include "gantry/rpc/status.hpp"
#include "schedule_api.hpp"
#include "support.hpp"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

namespace gantry::scheduler {
namespace {

using namespace testing;
using ::testing::HasSubstr;

/// A served ScheduleService over a database with two schedules, one of which has fired.
class Api : public ::testing::Test {
protected:
    Api() : pool_(db_.options(), parts_.metrics), queries_(pool_) {
        auto report = builtin_schedules().at(0);
        report.paused = true;
        applied(db_, {every_second("beat"), report});
        {
            const Replica one(db_);
            reaches(db_, kFired, 3);
        }
        rpc::ServerOptions options;
        options.listen = "127.0.0.1:0";
        server_ = std::make_unique<rpc::Server>(options, parts_.context);
        server_->add(std::make_unique<ScheduleApi>(server_->executor(), queries_, system_clock()));
        server_->start({}).value();
        stub_ = v1::ScheduleService::NewStub(
            grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
    }
    ~Api() override { server_->stop(Deadline::after(std::chrono::seconds{10})).value(); }

    template <class Request, class Response>
    Result<Response> call(grpc::Status (v1::ScheduleService::Stub::*method)(grpc::ClientContext*,
                                                                            const Request&,
                                                                            Response*),
                          const Request& request) {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{10});
        Response response;
        const auto status = (stub_.get()->*method)(&context, request, &response);
        if (!status.ok()) {
            return std::unexpected(rpc::to_error(status));
        }
        return response;
    }

    TestDatabase db_;
    Parts parts_;
    postgres::Pool pool_;
    ScheduleQueries queries_;
    std::unique_ptr<rpc::Server> server_;
    std::unique_ptr<v1::ScheduleService::Stub> stub_;
};

TEST_F(Api, ListsSchedulesInPages) {
    v1::ListSchedulesRequest request;
    request.set_page_size(1);
    const auto first = call(&v1::ScheduleService::Stub::ListSchedules, request).value();
    ASSERT_EQ(first.schedules_size(), 1);
    EXPECT_EQ(first.schedules(0).name(), "beat");
    EXPECT_EQ(first.schedules(0).description(), "every second");
    EXPECT_TRUE(first.schedules(0).has_last_fire_time());
    EXPECT_TRUE(first.schedules(0).has_next_fire_time());
    request.set_page_token(first.next_page_token());
    const auto second = call(&v1::ScheduleService::Stub::ListSchedules, request).value();
    ASSERT_EQ(second.schedules_size(), 1);
    EXPECT_EQ(second.schedules(0).name(), "daily-report");
    EXPECT_TRUE(second.schedules(0).paused());
    EXPECT_FALSE(second.schedules(0).has_next_fire_time());
    EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(Api, ReadsOneSchedule) {
    v1::GetScheduleRequest request;
    request.set_name("daily-report");
    const auto found = call(&v1::ScheduleService::Stub::GetSchedule, request).value();
    EXPECT_EQ(found.queue(), "reports");
    EXPECT_EQ(found.catch_up().policy(), "all");
    request.set_name("nothing");
    EXPECT_EQ(call(&v1::ScheduleService::Stub::GetSchedule, request).error().code, Code::not_found);
    request.set_name("Not A Name");
    EXPECT_EQ(call(&v1::ScheduleService::Stub::GetSchedule, request).error().fields.at(0).field,
              "name");
}

TEST_F(Api, ListsFiresNewestFirst) {
    v1::ListFiresRequest request;
    request.set_name("beat");
    request.set_page_size(2);
    const auto first = call(&v1::ScheduleService::Stub::ListFires, request).value();
    ASSERT_EQ(first.fires_size(), 2);
    EXPECT_EQ(first.fires(0).outcome(), v1::FIRED);
    EXPECT_EQ(first.fires(0).fire_time().seconds(), first.fires(1).fire_time().seconds() + 1);
    EXPECT_EQ(first.fires(0).job_id().size(), 36U);
    request.set_page_token(first.next_page_token());
    const auto second = call(&v1::ScheduleService::Stub::ListFires, request).value();
    EXPECT_EQ(second.fires(0).fire_time().seconds() + 1, first.fires(1).fire_time().seconds());
}

TEST_F(Api, RefusesABadPageByItsField) {
    v1::ListFiresRequest request;
    request.set_name("beat");
    request.set_page_size(1'001);
    EXPECT_EQ(call(&v1::ScheduleService::Stub::ListFires, request).error().fields.at(0).field,
              "page_size");
    request.set_page_size(0);
    request.set_page_token("bm90IGEgdGltZQ==");
    EXPECT_EQ(call(&v1::ScheduleService::Stub::ListFires, request).error().fields.at(0).field,
              "page_token");
    v1::PreviewRequest bad;
    bad.set_spec("0 0 30 2 *");
    EXPECT_THAT(call(&v1::ScheduleService::Stub::Preview, bad).error().fields.at(0).description,
                HasSubstr("can never fire"));
}

}  // namespace
}  // namespace gantry::scheduler
