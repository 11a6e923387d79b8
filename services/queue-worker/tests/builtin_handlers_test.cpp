#include "builtin_handlers.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace gantry::worker {
namespace {

using jobs::Ending;

class BuiltinHandlersTest : public ::testing::Test {
protected:
    BuiltinHandlersTest() { add_builtin_handlers(registry, clock); }

    jobs::Outcome run(const std::string& type, std::string payload) {
        job.payload = std::move(payload);
        context.emplace(job, Deadline::never(), stop.get_token(), tracing::TraceContext{});
        return registry.find(type)->handler(*context);
    }

    FakeClock clock;
    jobs::Registry registry;
    jobs::Runnable job;
    std::stop_source stop;
    std::optional<jobs::JobContext> context;
};

TEST_F(BuiltinHandlersTest, NoopSucceeds) {
    EXPECT_EQ(run("gantry.noop", "anything").ending(), Ending::succeeded);
}

TEST_F(BuiltinHandlersTest, EchoGivesItsPayloadBack) {
    job.content_type = "text/plain";
    EXPECT_EQ(run("gantry.echo", std::string("a\0b", 3)).ending(), Ending::succeeded);
    const auto produced = std::move(*context).take();
    EXPECT_EQ(produced.result, std::string("a\0b", 3));
    EXPECT_EQ(produced.result_content_type, "text/plain");
}

TEST_F(BuiltinHandlersTest, SleepWaits) {
    for (const auto* payload : {"250ms", R"({"duration":"250ms"})"}) {
        std::optional<Ending> ending;
        std::jthread sleeper([&] { ending = run("gantry.sleep", payload).ending(); });
        clock.wait_for_sleepers(1);
        clock.advance(milliseconds{250});
        sleeper.join();
        EXPECT_EQ(ending, Ending::succeeded);
    }
}

TEST_F(BuiltinHandlersTest, SleepIsHandedBackWhenAskedToStop) {
    stop.request_stop();
    EXPECT_EQ(run("gantry.sleep", "30s").ending(), Ending::handed_back);
}

TEST_F(BuiltinHandlersTest, SleepRefusesWhatIsNoDuration) {
    for (const auto* payload : {"", "soon", "2h", "-1s", "{", "{}", R"({"duration":5})", "[1]"}) {
        const auto outcome = run("gantry.sleep", payload);
        EXPECT_EQ(outcome.ending(), Ending::dead) << payload;
        EXPECT_EQ(outcome.reason(), "bad_payload");
    }
}

TEST_F(BuiltinHandlersTest, FailFailsUntilItsAttempt) {
    EXPECT_EQ(run("gantry.fail", "").ending(), Ending::retrying);
    const auto outcome = run("gantry.fail", R"({"message":"ouch","untilAttempt":3})");
    EXPECT_EQ(outcome.ending(), Ending::retrying);
    EXPECT_EQ(outcome.error().message, "ouch");
    job.attempt = 2;
    EXPECT_EQ(run("gantry.fail", R"({"untilAttempt":3})").ending(), Ending::succeeded);
}

TEST_F(BuiltinHandlersTest, FailRefusesWhatItDoesNotUnderstand) {
    for (const auto* payload : {"{", "[]", "3", R"({"message":1})", R"({"untilAttempt":"x"})",
                                R"({"untilAttempt":99999999999999999999})"}) {
        EXPECT_EQ(run("gantry.fail", payload).ending(), Ending::dead) << payload;
    }
}

}  // namespace
}  // namespace gantry::worker
