// Tests to hold, Options: what a process makes of its settings, at start and at a reload.

#include "folder.hpp"
#include "http.hpp"
#include "program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <csignal>
#include <thread>

namespace gantry::conformance {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// The value of a metric without labels, as text.
std::string metric(const std::string& address, const std::string& name) {
    const std::string page = "\n" + get(address, "/metrics").body;
    const auto at = page.find("\n" + name + " ");
    if (at == std::string::npos) {
        return "no " + name;
    }
    const auto begin = at + name.size() + 2;
    return page.substr(begin, page.find('\n', begin) - begin);
}

int count(const std::string& text, const std::string& what) {
    int times = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        ++times;
    }
    return times;
}

TEST(Options, SeveralFailuresComeInOneReport) {
    Program program({"--work.mode=dance", "--work.most=1000", "--log.level=loud", "stray"});
    EXPECT_EQ(program.exit_code(), 78);
    EXPECT_THAT(program.output(),
                AllOf(HasSubstr("4 faults"), HasSubstr("work.mode: must be one of"),
                      HasSubstr("work.most: must be from 1 to 100"), HasSubstr("log.level"),
                      HasSubstr("stray"), Not(HasSubstr("\"msg\":\"starting\""))));
}

TEST(Options, UnknownKeyNamesTheNearest) {
    Program program({"--host.stop_timeot=1s"});
    EXPECT_EQ(program.exit_code(), 78);
    EXPECT_THAT(program.output(), HasSubstr("did you mean `host.stop_timeout`?"));
}

TEST(Options, EnvironmentOverridesTheFileAndFlagsOverrideBoth) {
    const Folder folder;
    const auto file = folder.write("config.yaml", "work: {most: 11, mode: stuck}\n");
    Program program({"--config=" + file, "--work.most=13", "--print-config"},
                    {"GANTRY__WORK__MOST=12", "GANTRY__WORK__MODE=run"});
    EXPECT_EQ(program.exit_code(), 0);
    EXPECT_THAT(program.output(), AllOf(HasSubstr("most: 13"), HasSubstr("mode: \"run\"")));
}

TEST(Options, SecretFileIsReadAndNeverShown) {
    const Folder folder;
    folder.write("secrets/work.password", "hunter2\n");
    const std::string secrets = "--secrets-dir=" + folder.path("secrets");
    Program printing({secrets, "--print-config"});
    EXPECT_EQ(printing.exit_code(), 0);
    EXPECT_THAT(printing.output(), AllOf(HasSubstr("***"), Not(HasSubstr("hunter2"))));
    Program program({secrets, "--log.level=debug"});
    ASSERT_TRUE(program.wait_for(kStarted));
    EXPECT_EQ(metric(program.admin_address(), "program_password_length"), "7");
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0);
    EXPECT_THAT(program.output(), Not(HasSubstr("hunter2")));
}

TEST(Options, BadReloadKeepsOldValuesAndShowsDegraded) {
    const Folder folder;
    const auto file = folder.write("config.yaml", "work: {most: 20}\n");
    Program program({"--config=" + file, "--config.watch_interval=0"});
    ASSERT_TRUE(program.wait_for(kStarted));
    const auto address = program.admin_address();
    folder.write("config.yaml", "work: {most: 30, password: secret, mode: dance}\n");
    program.signal(SIGHUP);
    ASSERT_TRUE(program.wait_for("reload refused"));
    EXPECT_EQ(metric(address, "program_most"), "20");
    EXPECT_EQ(metric(address, "program_password_length"), "0");
    EXPECT_EQ(metric(address, R"(gantry_config_reloads_total{outcome="refused"})"), "1");
    const auto health = get(address, "/health");
    EXPECT_EQ(health.status, 200);
    EXPECT_THAT(health.body, HasSubstr(R"("status": "degraded")"));
    EXPECT_EQ(get(address, "/readyz").status, 200);
    folder.write("config.yaml", "work: {most: 30}\n");
    program.signal(SIGHUP);
    ASSERT_TRUE(program.wait_for("configuration reloaded"));
    EXPECT_EQ(metric(address, "program_most"), "30");
    EXPECT_THAT(get(address, "/health").body, Not(HasSubstr("degraded")));
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0);
}

TEST(Options, AThrowingValidationEndsTheStartAndRefusesAReload) {
    EXPECT_EQ(Program({"--work.mode=throw_validate"}).exit_code(), 71);
    const Folder folder;
    const auto file = folder.write("config.yaml", "work: {mode: run}\n");
    Program program({"--config=" + file});
    ASSERT_TRUE(program.wait_for(kStarted)) << program.output();
    folder.write("config.yaml", "work: {mode: throw_validate}\n");
    program.signal(SIGHUP);
    EXPECT_TRUE(program.wait_for("reload refused")) << program.output();
    EXPECT_TRUE(program.wait_for("cannot read the schedules")) << program.output();
    folder.write("config.yaml", "work: {mode: run}\n");
    program.signal(SIGHUP);
    EXPECT_TRUE(program.wait_for("configuration reloaded")) << program.output();
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0) << program.output();
}

TEST(Options, SymlinkSwapIsNoticedOnce) {
    // As the kubelet lays out a ConfigMap: config.yaml → ..data/config.yaml, ..data → a folder.
    const Folder folder;
    const auto swap_to = [&folder](const std::string& version, const std::string& text) {
        folder.write(version + "/config.yaml", text);
        fs::create_symlink(version, folder.path("..data_tmp"));
        fs::rename(folder.path("..data_tmp"), folder.path("..data"));
    };
    swap_to("..first", "work: {most: 20}\n");
    fs::create_symlink("..data/config.yaml", folder.path("config.yaml"));
    Program program({"--config=" + folder.path("config.yaml"), "--config.watch_interval=100ms"});
    ASSERT_TRUE(program.wait_for(kStarted));
    const auto address = program.admin_address();
    EXPECT_EQ(metric(address, "program_most"), "20");
    swap_to("..second", "work: {most: 30}\n");
    fs::remove_all(folder.path("..first"));
    ASSERT_TRUE(program.wait_for("configuration reloaded"));
    EXPECT_EQ(metric(address, "program_most"), "30");
    // A second swap shows that many looks have passed, each of which saw the first one again.
    swap_to("..third", "work: {most: 40}\n");
    const auto began = std::chrono::steady_clock::now();
    while (metric(address, "program_most") != "40") {
        ASSERT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{30});
        std::this_thread::yield();
    }
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0);
    EXPECT_EQ(count(program.output(), "configuration reloaded"), 2) << program.output();
}

TEST(Options, HelpVersionAndPrintedConfiguration) {
    for (const auto& [flag, text] :
         {std::pair{"--help", "--work.mode"}, std::pair{"--version", "program "},
          std::pair{"--print-config", "mode: \"run\""}}) {
        Program program({flag});
        EXPECT_EQ(program.exit_code(), 0) << flag;
        EXPECT_THAT(program.output(), HasSubstr(text));
    }
}

}  // namespace
}  // namespace gantry::conformance
