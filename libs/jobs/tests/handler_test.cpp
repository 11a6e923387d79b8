#include "gantry/jobs/handler.hpp"

#include <gtest/gtest.h>

namespace gantry::jobs {
namespace {

Outcome nothing(JobContext&) {
    return Outcome::success();
}

TEST(Outcome, WhatNoRepeatMendsIsDeadAtOnce) {
    EXPECT_EQ(Outcome::of({}).ending(), Ending::succeeded);
    for (const auto code : {Code::invalid_argument, Code::not_found, Code::failed_precondition,
                            Code::unimplemented, Code::data_loss, Code::already_exists}) {
        EXPECT_EQ(Outcome::of(fail(code, "x")).ending(), Ending::dead) << to_string(code);
    }
    for (const auto code : {Code::unavailable, Code::deadline_exceeded, Code::internal,
                            Code::aborted, Code::resource_exhausted, Code::cancelled}) {
        EXPECT_EQ(Outcome::of(fail(code, "x")).ending(), Ending::retrying) << to_string(code);
    }
}

TEST(Registry, FindsWhatWasAddedAndLabelsTheRestAsOther) {
    Registry registry;
    registry.add("b.two", nothing).add("a.one", nothing);
    EXPECT_NE(registry.find("a.one"), nullptr);
    EXPECT_EQ(registry.find("a.on"), nullptr);
    EXPECT_EQ(registry.label("a.one"), "a.one");
    EXPECT_EQ(registry.label("c.three"), "other");
    EXPECT_EQ(registry.types(), (std::vector<std::string>{"a.one", "b.two"}));
}

TEST(RegistryDeathTest, ATypeHasOneHandler) {
    Registry registry;
    registry.add("a.one", nothing);
    EXPECT_DEATH(registry.add("a.one", nothing), "one handler");
}

class JobContextTest : public ::testing::Test {
protected:
    JobContext::Produced produced() { return std::move(context).take(); }
    Runnable job;
    JobContext context{job, Deadline::never(), {}, {}};
};

TEST_F(JobContextTest, KeepsTheLastResult) {
    context.result("a", "text/plain");
    context.result("b", "application/json");
    const auto got = produced();
    EXPECT_EQ(got.result, "b");
    EXPECT_EQ(got.result_content_type, "application/json");
    EXPECT_FALSE(got.fault);
}

TEST_F(JobContextTest, AResultThatCannotBeStoredIsAFault) {
    context.result(std::string(kMaxPayload + 1, 'x'));
    EXPECT_TRUE(produced().fault);
}

TEST_F(JobContextTest, AContentTypeThatIsNoneIsAFault) {
    context.result("x", "text/plain\r\nX-Evil: 1");
    const auto got = produced();
    ASSERT_TRUE(got.fault);
    EXPECT_EQ(got.fault->message.find("Evil"), std::string::npos);
}

TEST_F(JobContextTest, CountsTriesFromOne) {
    EXPECT_EQ(context.attempt(), 1);
    job.attempt = 4;
    EXPECT_EQ(context.attempt(), 5);
}

TEST(StorableError, IsCutAtACharacterAndCleaned) {
    EXPECT_EQ(storable_error("all well"), "all well");
    std::string umlauts;
    for (int i = 0; i < 600; ++i) {
        umlauts += "ü";
    }
    EXPECT_EQ(storable_error("x" + umlauts).size(), 999U);
    EXPECT_EQ(storable_error(std::string("a\0b", 3)), "a?b");
    EXPECT_EQ(storable_error("a\xff"
                             "bcdef"),
              "a?bcdef");
    EXPECT_EQ(storable_error(""), "");
}

}  // namespace
}  // namespace gantry::jobs
