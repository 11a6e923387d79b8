// Tests to hold, Signals: what ends a process, and with which exit code.

#include "program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <csignal>

namespace gantry::conformance {
namespace {

using testing::HasSubstr;
using testing::Not;

void expect_clean_end_by(int signal) {
    Program program({});
    ASSERT_TRUE(program.wait_for(kStarted)) << program.output();
    program.signal(signal);
    EXPECT_EQ(program.exit_code(), 0) << program.output();
    EXPECT_THAT(program.output(), HasSubstr("main returns 0"));
}

TEST(Signals, TermEndsWithMainsCode) {
    expect_clean_end_by(SIGTERM);
}

TEST(Signals, InterruptEndsWithMainsCode) {
    expect_clean_end_by(SIGINT);
}

TEST(Signals, QuitEndsWithMainsCode) {
    expect_clean_end_by(SIGQUIT);
}

TEST(Signals, RepeatedTermIsLoggedAndIgnored) {
    Program program({"--host.drain_delay=300ms"});
    ASSERT_TRUE(program.wait_for(kStarted));
    program.signal(SIGTERM);
    ASSERT_TRUE(program.wait_for(R"("msg":"stopping")"));
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0);
    EXPECT_THAT(program.output(), HasSubstr("signal ignored: stopping already"));
}

TEST(Signals, SecondInterruptExits130) {
    Program program({"--host.drain_delay=20s"});
    ASSERT_TRUE(program.wait_for(kStarted));
    program.signal(SIGINT);
    ASSERT_TRUE(program.wait_for(R"("msg":"stopping")"));
    program.signal(SIGINT);
    EXPECT_EQ(program.exit_code(), 130) << program.output();
}

TEST(Signals, SignalDuringStartIsACleanExit) {
    Program program({"--work.mode=slow_start"});
    ASSERT_TRUE(program.wait_for("slow start under way"));
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0) << program.output();
    EXPECT_THAT(program.output(), Not(HasSubstr(kStarted)));
}

TEST(Signals, SigpipeIsHarmless) {
    Program program({"--work.mode=closed_pipe"});
    ASSERT_TRUE(program.wait_for(kStarted));
    ASSERT_TRUE(program.wait_for(R"("refused":true)")) << program.output();
    program.signal(SIGPIPE);
    program.signal(SIGHUP);
    ASSERT_TRUE(program.wait_for("configuration reloaded")) << program.output();
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0);
}

TEST(ExitCodes, FaultOfALoopIs70) {
    Program program({"--work.mode=throw"});
    EXPECT_EQ(program.exit_code(), 70) << program.output();
    EXPECT_THAT(program.output(), HasSubstr("fault of `worker`"));
}

TEST(ExitCodes, FailedStartIs71) {
    Program program({"--work.mode=fail_start"});
    EXPECT_EQ(program.exit_code(), 71) << program.output();
}

TEST(ExitCodes, SlowStopperIsNamedAndItIs124) {
    Program program({"--work.mode=hang_stop", "--host.stop_timeout=300ms"});
    ASSERT_TRUE(program.wait_for(kStarted));
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 124);
    EXPECT_THAT(program.output(), HasSubstr("program: out of time while"));
    EXPECT_THAT(program.output(), HasSubstr("`worker`"));
}

TEST(ExitCodes, HangingDestructionOfTheAppIs124) {
    Program program({"--work.mode=hang_destroy", "--host.stop_timeout=300ms"});
    ASSERT_TRUE(program.wait_for(kStarted));
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 124);
    EXPECT_THAT(program.output(), HasSubstr("destroying what the services shared"));
}

}  // namespace
}  // namespace gantry::conformance
