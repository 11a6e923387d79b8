#include "run.hpp"

#include "arguments.hpp"

#include <gmock/gmock.h>

#include <future>

namespace gantry::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class App : public testing::Run {
protected:
    App() {
        outbox.stats = [](const auto&) { return outbox::v1::OutboxStats{}; };
    }
};

TEST_F(App, TellsItsVersion) {
    EXPECT_EQ(run({"--version"}), 0);
    EXPECT_THAT(out(), StartsWith("gantryctl "));
}

TEST_F(App, HelpsWithEveryCommandByExample) {
    const std::vector<std::vector<std::string>> commands = {
        {}, {"outbox"}, {"outbox", "stats"}, {"outbox", "parked"}};
    for (auto command : commands) {
        command.emplace_back("--help");
        EXPECT_EQ(run(command), 0);
        EXPECT_THAT(out(), AllOf(HasSubstr("Examples:\n  "), HasSubstr("gantryctl ")));
        EXPECT_THAT(targets, IsEmpty());
    }
    run({"--help"});
    EXPECT_THAT(out(), HasSubstr("Exit codes: 0 done"));
}

TEST_F(App, RefusesAFaultyCommandLineBeforeItConnects) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> faulty = {
        {{}, "A command is required"},
        {{"outbox"}, "A command is required"},
        {{"inbox"}, "inbox"},
        {{"outbox", "inbox"}, "inbox"},
        {{"outbox", "stats", "--colour"}, "--colour"},
        {{"outbox", "stats", "-o", "yaml"}, "yaml"},
        {{"outbox", "stats", "--timeout=10"}, "must be a duration above 0"},
        {{"outbox", "stats", "--timeout=0"}, "must be a duration above 0"},
        {{"outbox", "stats", "--server", ""}, "must be host:port"},
        {{"outbox", "parked", "--limit=-1"}, "--limit"},
    };
    for (const auto& [arguments, names] : faulty) {
        EXPECT_EQ(run(arguments), kUsage) << names;
        EXPECT_THAT(err(), AllOf(StartsWith("gantryctl: "), HasSubstr(names), HasSubstr("--help")));
        EXPECT_THAT(out(), IsEmpty());
    }
    EXPECT_THAT(targets, IsEmpty());
}

TEST_F(App, TakesTheServerFromTheFlagElseTheEnvironmentElseLocalhost) {
    EXPECT_EQ(run({"outbox", "stats"}), 0);
    environment["GANTRY_SERVER"] = "there:1";
    EXPECT_EQ(run({"outbox", "stats"}), 0);
    EXPECT_EQ(run({"--server", "here:2", "outbox", "stats"}), 0);
    EXPECT_EQ(run({"outbox", "stats", "--server=after:3"}), 0);
    EXPECT_EQ(targets,
              (std::vector<std::string>{"localhost:9090", "there:1", "here:2", "after:3"}));
}

TEST_F(App, SaysWhatTheServerRefusedAndWhere) {
    outbox.stats = [](const auto&) -> Result<outbox::v1::OutboxStats> {
        return std::unexpected(
            Error{Code::failed_precondition, "It stands.", "STANDS", {{"mode", "must be wal"}}});
    };
    EXPECT_EQ(run({"outbox", "stats", "--server=here:2"}), kRefused);
    EXPECT_THAT(err(), HasSubstr("here:2 says: It stands. (STANDS)\n"));
    EXPECT_THAT(err(), HasSubstr("must be wal"));
    EXPECT_THAT(out(), IsEmpty());
}

TEST_F(App, CallsAServiceThatIsAwayUnreachable) {
    outbox.stats = [](const auto&) -> Result<outbox::v1::OutboxStats> {
        return fail(Code::unavailable, "outbox-relay cannot be reached.", "BACKEND_UNAVAILABLE");
    };
    EXPECT_EQ(run({"outbox", "stats"}), kUnreachable);
    EXPECT_THAT(err(), HasSubstr("localhost:9090 says: outbox-relay cannot be reached."));
}

TEST_F(App, NamesAServerThatDoesNotKnowTheCall) {
    outbox.stats = nullptr;
    EXPECT_EQ(run({"outbox", "stats"}), kRefused);
    EXPECT_THAT(err(), HasSubstr("localhost:9090 does not know this call"));
}

TEST_F(App, WaitsNoLongerThanItsTimeout) {
    std::promise<void> release;
    auto released = release.get_future().share();
    outbox.stats = [released](const auto&) {
        released.wait();
        return outbox::v1::OutboxStats{};
    };
    EXPECT_EQ(run({"outbox", "stats", "--timeout=20ms"}), kUnreachable);
    EXPECT_THAT(err(), HasSubstr("localhost:9090 gave no answer within 20ms"));
    release.set_value();
}

TEST(Moment, IsATimeOrHowLongAgoItWas) {
    const FakeClock clock;
    const auto now = clock.now();
    EXPECT_EQ(parse_moment("2h", now).value(), now - std::chrono::hours{2});
    EXPECT_EQ(parse_moment("1970-01-01T00:00:01Z", now).value(), Instant{std::chrono::seconds{1}});
    for (const char* text : {"", "yesterday", "2", "-2h", "2026-01-31"}) {
        EXPECT_FALSE(parse_moment(text, now)) << text;
    }
}

}  // namespace
}  // namespace gantry::ctl
