#include "job_api.hpp"
#include "order_api.hpp"
#include "proto_time.hpp"

#include <gtest/gtest.h>

namespace gantry::worker {
namespace {

TEST(ProtoTime, InstantsAreReadBack) {
    for (const auto seconds : {-8'520'336'000LL, -1LL, 0LL, 1'770'000'000LL, 9'214'646'399LL}) {
        google::protobuf::Timestamp at;
        at.set_seconds(seconds);
        at.set_nanos(123'456'789);
        const auto instant = to_instant(at, "run_at");
        ASSERT_TRUE(instant) << seconds;
        EXPECT_EQ(to_timestamp(*instant).seconds(), seconds);
        EXPECT_EQ(to_timestamp(*instant).nanos(), 123'456'789);
    }
}

TEST(ProtoTime, WhatNoClockHoldsIsRefusedByName) {
    for (const auto& [seconds, nanos] :
         {std::pair(9'214'646'400LL, 0), std::pair(-8'520'336'001LL, 0), std::pair(0LL, -1),
          std::pair(0LL, 1'000'000'000)}) {
        google::protobuf::Timestamp at;
        at.set_seconds(seconds);
        at.set_nanos(nanos);
        const auto instant = to_instant(at, "run_at");
        ASSERT_FALSE(instant);
        EXPECT_EQ(instant.error().fields.front().field, "run_at");
    }
}

TEST(ProtoTime, DurationsAreOfADayAtMost) {
    google::protobuf::Duration length;
    length.set_seconds(86'400);
    EXPECT_EQ(to_milliseconds(length, "timeout").value(), std::chrono::hours{24});
    length.set_nanos(1);
    EXPECT_FALSE(to_milliseconds(length, "timeout"));
    length.set_seconds(-1);
    length.set_nanos(0);
    EXPECT_FALSE(to_milliseconds(length, "timeout"));
}

TEST(ProtoTime, NoCallWaitsForEver) {
    EXPECT_FALSE(bounded(Deadline::never()).is_never());
    const auto soon = Deadline::after(milliseconds{5});
    EXPECT_EQ(bounded(soon), soon);
}

TEST(JobApi, ARequestBecomesAJob) {
    jobs::v1::EnqueueRequest request;
    request.set_queue("default");
    request.set_type("gantry.noop");
    request.set_payload(std::string("a\0b", 3));
    request.set_key("k");
    request.set_max_attempts(3);
    request.mutable_run_at()->set_seconds(1'770'000'000);
    request.mutable_timeout()->set_seconds(30);
    request.set_unique_key("u");
    request.set_request_id("r");
    const auto job = to_new_job(request);
    ASSERT_TRUE(job);
    EXPECT_EQ(job->queue, "default");
    EXPECT_EQ(job->payload, std::string("a\0b", 3));
    EXPECT_EQ(job->content_type, "application/octet-stream") << "where none is given";
    EXPECT_EQ(job->key, "k");
    EXPECT_EQ(job->max_attempts, 3);
    EXPECT_EQ(job->run_at, Instant{std::chrono::seconds{1'770'000'000}});
    EXPECT_EQ(job->timeout, std::chrono::seconds{30});
    EXPECT_EQ(job->unique_key, "u");
    EXPECT_EQ(job->request_id, "r");
}

TEST(JobApi, ATimeThatIsNoneIsRefusedByName) {
    jobs::v1::EnqueueRequest request;
    request.mutable_run_at()->set_nanos(-1);
    EXPECT_EQ(to_new_job(request).error().fields.front().field, "run_at");
    request.clear_run_at();
    request.mutable_timeout()->set_seconds(-1);
    EXPECT_EQ(to_new_job(request).error().fields.front().field, "timeout");
}

TEST(JobApi, AJobIsShownWhole) {
    jobs::Job job;
    job.id = Uuid::v7();
    job.queue = "default";
    job.type = "gantry.echo";
    job.state = jobs::State::succeeded;
    job.payload = "in";
    job.attempt = 2;
    job.max_attempts = 20;
    job.dispatch = 5;
    job.created_at = Instant{std::chrono::seconds{1'770'000'000}};
    job.finished_at = job.created_at + std::chrono::milliseconds{1'500};
    job.result = "out";
    job.result_content_type = "text/plain";
    job.external_id = "e1";
    const auto shown = to_proto(job);
    EXPECT_EQ(shown.id(), job.id.to_string());
    EXPECT_EQ(shown.state(), jobs::v1::SUCCEEDED);
    EXPECT_EQ(shown.payload(), "in");
    EXPECT_EQ(shown.attempt(), 2);
    EXPECT_EQ(shown.dispatch(), 5);
    EXPECT_EQ(shown.create_time().seconds(), 1'770'000'000);
    EXPECT_FALSE(shown.has_start_time());
    EXPECT_EQ(shown.finish_time().nanos(), 500'000'000);
    EXPECT_EQ(shown.result(), "out");
    EXPECT_EQ(shown.external_id(), "e1");
}

TEST(OrderApi, AnOrderIsShownWhole) {
    orders::Order order;
    order.id = Uuid::v7();
    order.number = "A-1";
    order.facility = "NORTH";
    order.patient_ref = "PAT-77";
    order.items = {{"CBC", 2}};
    order.status = orders::Status::processed;
    order.source = orders::Source::hl7;
    order.created_at = Instant{std::chrono::seconds{1'770'000'000}};
    order.processed_at = order.created_at;
    const auto shown = to_proto(order);
    EXPECT_EQ(shown.id(), order.id.to_string());
    EXPECT_EQ(shown.patient_ref(), "PAT-77");
    ASSERT_EQ(shown.items_size(), 1);
    EXPECT_EQ(shown.items(0).code(), "CBC");
    EXPECT_EQ(shown.items(0).quantity(), 2);
    EXPECT_EQ(shown.status(), orders::v1::PROCESSED);
    EXPECT_EQ(shown.source(), orders::v1::HL7);
    EXPECT_FALSE(shown.has_synced_at());
    EXPECT_TRUE(shown.has_processed_at());
}

}  // namespace
}  // namespace gantry::worker
