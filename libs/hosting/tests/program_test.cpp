// The process as a whole: signals, exit codes, the command line.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace {

using testing::HasSubstr;

/// One run of the test program, its output read through a pipe.
class Child {
public:
    explicit Child(std::vector<std::string> arguments) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            throw std::runtime_error("pipe");
        }
        arguments.insert(arguments.begin(), GANTRY_TEST_PROGRAM);
        std::vector<char*> argv;
        for (std::string& argument : arguments) {
            argv.push_back(argument.data());
        }
        argv.push_back(nullptr);
        pid_ = fork();
        if (pid_ == 0) {
            dup2(ends[1], STDOUT_FILENO);
            dup2(ends[1], STDERR_FILENO);
            execv(argv[0], argv.data());
            _exit(127);
        }
        close(ends[1]);
        out_ = ends[0];
    }

    ~Child() {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        close(out_);
    }

    /// Reads until `text` has come out; false at the end of the output.
    bool wait_for(const std::string& text) {
        while (output_.find(text) == std::string::npos) {
            if (!read_some()) {
                return false;
            }
        }
        return true;
    }

    void signal(int number) const { kill(pid_, number); }

    int exit_code() {
        while (read_some()) {
        }
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

    const std::string& output() const { return output_; }

private:
    bool read_some() {
        char buffer[4096];
        const ssize_t count = read(out_, buffer, sizeof buffer);
        if (count <= 0) {
            return false;
        }
        output_.append(buffer, static_cast<std::size_t>(count));
        return true;
    }

    pid_t pid_ = -1;
    int out_ = -1;
    std::string output_;
};

constexpr const char* kStarted = "\"msg\":\"started\"";

class StopSignal : public testing::TestWithParam<int> {};

TEST_P(StopSignal, EndsTheProcessCleanly) {
    Child child({});
    ASSERT_TRUE(child.wait_for(kStarted)) << child.output();
    child.signal(GetParam());
    EXPECT_EQ(child.exit_code(), 0) << child.output();
    EXPECT_THAT(child.output(), HasSubstr("\"exit_code\":0"));
}

INSTANTIATE_TEST_SUITE_P(Each, StopSignal, testing::Values(SIGTERM, SIGINT, SIGQUIT));

TEST(Program, IgnoresSigpipeAndReloadsOnSighup) {
    Child child({});
    ASSERT_TRUE(child.wait_for(kStarted));
    child.signal(SIGPIPE);
    child.signal(SIGHUP);
    ASSERT_TRUE(child.wait_for("configuration reloaded")) << child.output();
    child.signal(SIGTERM);
    EXPECT_EQ(child.exit_code(), 0);
}

TEST(Program, SecondInterruptExitsAtOnce) {
    Child child({"--host.drain_delay=20s"});
    ASSERT_TRUE(child.wait_for(kStarted));
    child.signal(SIGINT);
    ASSERT_TRUE(child.wait_for("\"msg\":\"stopping\""));
    child.signal(SIGINT);
    EXPECT_EQ(child.exit_code(), 130) << child.output();
}

TEST(Program, RepeatedTermIsLoggedAndIgnored) {
    Child child({"--host.drain_delay=300ms"});
    ASSERT_TRUE(child.wait_for(kStarted));
    child.signal(SIGTERM);
    ASSERT_TRUE(child.wait_for("\"msg\":\"stopping\""));
    child.signal(SIGTERM);
    EXPECT_EQ(child.exit_code(), 0);
    EXPECT_THAT(child.output(), HasSubstr("signal ignored: stopping already"));
}

TEST(Program, FaultOfALoopExitsWith70) {
    Child child({"--work.mode=throw"});
    EXPECT_EQ(child.exit_code(), 70) << child.output();
    EXPECT_THAT(child.output(), HasSubstr("fault of `worker`"));
}

TEST(Program, FailedStartExitsWith71) {
    Child child({"--work.mode=fail_start"});
    EXPECT_EQ(child.exit_code(), 71) << child.output();
}

TEST(Program, HangingStopNamesTheCulpritAndExitsWith124) {
    Child child({"--work.mode=hang_stop", "--host.stop_timeout=300ms"});
    ASSERT_TRUE(child.wait_for(kStarted));
    child.signal(SIGTERM);
    EXPECT_EQ(child.exit_code(), 124);
    EXPECT_THAT(child.output(), HasSubstr("`worker`"));
}

TEST(Program, HangingDestructionOfTheAppExitsWith124) {
    Child child({"--work.mode=hang_destroy", "--host.stop_timeout=300ms"});
    ASSERT_TRUE(child.wait_for(kStarted));
    child.signal(SIGTERM);
    EXPECT_EQ(child.exit_code(), 124);
    EXPECT_THAT(child.output(), HasSubstr("destroying what the services shared"));
}

TEST(Program, AThrowingValidationEndsTheStartAndRefusesAReload) {
    EXPECT_EQ(Child({"--work.mode=throw_validate"}).exit_code(), 71);
    const std::string path =
        testing::TempDir() + "gantry-program-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << "work: {mode: run}\n";
    Child child({"--config=" + path});
    ASSERT_TRUE(child.wait_for(kStarted)) << child.output();
    std::ofstream(path) << "work: {mode: throw_validate}\n";
    child.signal(SIGHUP);
    EXPECT_TRUE(child.wait_for("reload refused")) << child.output();
    EXPECT_TRUE(child.wait_for("cannot read the schedules")) << child.output();
    std::ofstream(path) << "work: {mode: run}\n";
    child.signal(SIGHUP);
    EXPECT_TRUE(child.wait_for("configuration reloaded")) << child.output();
    child.signal(SIGTERM);
    EXPECT_EQ(child.exit_code(), 0) << child.output();
    std::remove(path.c_str());
}

TEST(Program, BadOptionsAreAllReportedWith78) {
    Child child({"--work.mode=dance", "--host.stop_timeot=1s", "--log.level=loud", "stray"});
    EXPECT_EQ(child.exit_code(), 78);
    EXPECT_THAT(child.output(), HasSubstr("work.mode: must be one of"));
    EXPECT_THAT(child.output(), HasSubstr("did you mean `host.stop_timeout`?"));
    EXPECT_THAT(child.output(), HasSubstr("log.level"));
    EXPECT_THAT(child.output(), HasSubstr("stray"));
}

TEST(Program, AnswersHelpVersionAndPrintConfig) {
    for (const auto& [flag, text] :
         {std::pair{"--help", "--work.mode"}, std::pair{"--version", "program "},
          std::pair{"--print-config", "mode: \"run\""}}) {
        Child child({flag});
        EXPECT_EQ(child.exit_code(), 0) << flag;
        EXPECT_THAT(child.output(), HasSubstr(text));
    }
}

}  // namespace
