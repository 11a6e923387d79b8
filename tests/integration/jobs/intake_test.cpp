#include "gantry/jobs/intake.hpp"
#include "fixture.hpp"

namespace gantry::jobs {
namespace {

ExternalEvent event(const std::string& id, const std::string& source, std::int64_t offset) {
    ExternalEvent made;
    made.place = {"t.jobs.default", 0, offset};
    made.id = id;
    made.source = source;
    made.job.queue = "default";
    made.job.type = "gantry.echo";
    made.job.payload = "hello";
    made.job.content_type = "text/plain";
    return made;
}

TEST_F(JobsTest, AnEventMakesOneJobWhateverComesTwice) {
    const std::vector<ExternalEvent> batch{event("e1", "/a", 10), event("e1", "/a", 11),
                                           event("e2", "/a", 12)};
    const auto first = take_in(pool, batch, soon()).value();
    EXPECT_EQ(first[0].kind, Intake::Kind::made);
    EXPECT_EQ(first[1].kind, Intake::Kind::duplicate);
    EXPECT_EQ(first[2].kind, Intake::Kind::made);
    EXPECT_EQ(count("gantry.job"), 2);
    EXPECT_EQ(count("gantry.outbox_wakeup"), 0) << "the record itself is the wake-up";

    // The same records read again, after a crash before their offsets were committed.
    const auto again = take_in(pool, batch, soon()).value();
    EXPECT_EQ(again[0].kind, Intake::Kind::made);
    EXPECT_EQ(again[0].wakeup.id, first[0].wakeup.id);
    EXPECT_EQ(again[1].kind, Intake::Kind::duplicate);
    EXPECT_EQ(count("gantry.job"), 2);

    const auto job = store.find_external("e1", soon()).value();
    EXPECT_EQ(job.id, first[0].wakeup.id);
    EXPECT_EQ(job.external_id, "e1");
    EXPECT_EQ(job.external_source, "/a");
    EXPECT_EQ(job.content_type, "text/plain");
    EXPECT_EQ(check(pool, {&first[0].wakeup, 1}, soon()).value().front().verdict, Verdict::run);
}

TEST_F(JobsTest, OneIdOfTwoSourcesIsTwoJobsAndAskingForItNamesBoth) {
    const std::vector<ExternalEvent> batch{event("e", "/a", 1), event("e", "/b", 2)};
    EXPECT_TRUE(take_in(pool, batch, soon()));
    EXPECT_EQ(count("gantry.job"), 2);
    const auto asked = store.find_external("e", soon());
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, Code::failed_precondition);
    EXPECT_NE(asked.error().message.find("/a"), std::string::npos);
    EXPECT_NE(asked.error().message.find("/b"), std::string::npos);
    EXPECT_EQ(store.find_external("nobody", soon()).error().code, Code::not_found);
}

TEST_F(JobsTest, AnEventForAnUndeclaredQueueMakesNothing) {
    auto lost = event("e", "/a", 1);
    lost.job.queue = "nowhere";
    EXPECT_EQ(take_in(pool, {&lost, 1}, soon()).value().front().kind, Intake::Kind::no_queue);
    EXPECT_EQ(count("gantry.job_external"), 0);
}

TEST_F(JobsTest, ABrokenRecordIsBuriedWithItsPlaceAndItsBytes) {
    BrokenRecord broken{{"t.jobs.default", 3, 77},
                        "bad_attributes",
                        "ce_id is missing",
                        std::string("\xff\x00", 2),
                        std::string("\0raw", 4),
                        {{"ce_type", "x"}, {"weird name", "y"}, {"bytes", std::string("\xff")}}};
    ASSERT_TRUE(bury(pool, {&broken, 1}, "t.dead.jobs", soon()));
    const auto rows = database.exec(
        "SELECT topic, payload, headers->>'gantry-topic', headers->>'gantry-offset', "
        "headers->>'gantry-reason', headers->>'gantry-header.ce_type', key FROM "
        "gantry.outbox_message");
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows.front().text(0), "t.dead.jobs");
    EXPECT_EQ(rows.front().bytes(1), *broken.value);
    EXPECT_EQ(rows.front().text(2), "t.jobs.default");
    EXPECT_EQ(rows.front().text(3), "77");
    EXPECT_EQ(rows.front().text(4), "bad_attributes");
    EXPECT_EQ(rows.front().text(5), "x");
    EXPECT_TRUE(rows.front().is_null(6));
}

}  // namespace
}  // namespace gantry::jobs
