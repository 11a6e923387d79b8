#include "options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace gantry::migrate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Parsed parse(std::initializer_list<const char*> arguments, const char* url = nullptr) {
    std::vector<const char*> argv{"gantry-migrate"};
    argv.insert(argv.end(), arguments);
    return parse_options(
        static_cast<int>(argv.size()), argv.data(), [url](const char* name) -> const char* {
            return std::string_view(name) == "GANTRY__POSTGRES__URL" ? url : nullptr;
        });
}

TEST(Options, TakeTheUrlFromTheEnvironment) {
    const auto parsed = parse({"up"}, "postgresql://h/d");
    ASSERT_TRUE(parsed.options);
    EXPECT_EQ(parsed.options->command, Command::up);
    EXPECT_EQ(parsed.options->database_url, "postgresql://h/d");
}

TEST(Options, PreferTheCommandLine) {
    const auto parsed = parse({"--database-url", "postgresql://h/e", "set-mode", "polling",
                               "--wait=5s", "--handover", "1m"},
                              "postgresql://h/d");
    ASSERT_TRUE(parsed.options);
    EXPECT_EQ(parsed.options->command, Command::set_mode);
    EXPECT_EQ(parsed.options->mode, "polling");
    EXPECT_EQ(parsed.options->database_url, "postgresql://h/e");
    EXPECT_EQ(parsed.options->wait, milliseconds{5'000});
    EXPECT_EQ(parsed.options->handover, milliseconds{60'000});
}

TEST(Options, ReportEveryFaultTogether) {
    const auto parsed = parse({"set-mode", "fast", "extra", "--wait=5", "--nothing"});
    EXPECT_FALSE(parsed.options);
    EXPECT_TRUE(parsed.faulty);
    EXPECT_THAT(parsed.text, HasSubstr("5 faults"));
    EXPECT_THAT(parsed.text, HasSubstr("set-mode must be followed by wal or polling"));
    EXPECT_THAT(parsed.text, HasSubstr("'extra' is not expected"));
    EXPECT_THAT(parsed.text, HasSubstr("--wait must be a duration"));
    EXPECT_THAT(parsed.text, HasSubstr("--nothing is no option"));
    EXPECT_THAT(parsed.text, HasSubstr("GANTRY__POSTGRES__URL must be set"));
}

TEST(Options, NeverRepeatTheUrl) {
    const auto parsed = parse({"up"}, "mysql://user:hunter2@h/d");
    EXPECT_TRUE(parsed.faulty);
    EXPECT_THAT(parsed.text, HasSubstr("must start with postgresql://"));
    EXPECT_THAT(parsed.text, Not(HasSubstr("hunter2")));
}

TEST(Options, NeedACommand) {
    EXPECT_THAT(parse({}, "postgresql://h/d").text, HasSubstr("a command is missing"));
    EXPECT_THAT(parse({"down"}, "postgresql://h/d").text, HasSubstr("'down' is no command"));
}

TEST(Options, HelpIsNoFault) {
    const auto parsed = parse({"--help"});
    EXPECT_FALSE(parsed.options);
    EXPECT_FALSE(parsed.faulty);
    EXPECT_THAT(parsed.text, HasSubstr("Usage: gantry-migrate"));
}

}  // namespace
}  // namespace gantry::migrate
