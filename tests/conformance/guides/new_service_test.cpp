// The service that docs/guides/new-service.md shows: it is short, and it does what the guide says.

#include "child.hpp"
#include "folder.hpp"
#include "http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <csignal>
#include <iterator>

namespace gantry::conformance {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

const std::string kSource = std::string(GANTRY_GUIDES) + "/example-service/main.cpp";
const std::string kGuide = std::string(GANTRY_GUIDES) + "/new-service.md";

TEST(NewService, HasUnderSixtyLines) {
    const std::string source = text_of(kSource);
    EXPECT_LT(std::ranges::count(source, '\n'), 60);
    EXPECT_GT(std::ranges::count(source, '\n'), 30);
}

TEST(NewService, TheGuideShowsTheCompiledFile) {
    EXPECT_THAT(text_of(kGuide), HasSubstr("```cpp\n" + text_of(kSource) + "```\n"));
}

TEST(NewService, StartsIsReadyCountsAndStops) {
    const Folder folder;
    folder.write("drop/a", "");
    folder.write("drop/b", "");
    Child service({.program = GANTRY_EXAMPLE,
                   .arguments = {"--watch.folder=" + folder.path("drop"),
                                 "--admin.listen=127.0.0.1:0", "--watch.most=1"}});
    const auto address = service.admin_address();
    ASSERT_TRUE(service.wait_for(R"("msg":"started")"));
    EXPECT_EQ(get(address, "/readyz").status, 200);
    EXPECT_EQ(get(address, "/livez").status, 200);
    // It says so as soon as it has looked for the first time.
    const auto began = std::chrono::steady_clock::now();
    while (get(address, "/metrics").body.find("\ndrop_watch_files 2\n") == std::string::npos) {
        ASSERT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds{30});
    }
    EXPECT_THAT(get(address, "/health").body, HasSubstr(R"("status": "degraded")"));
    EXPECT_EQ(get(address, "/readyz").status, 200);
    EXPECT_THAT(get(address, "/metrics").body,
                AllOf(HasSubstr("gantry_build_info"), HasSubstr("gantry_polling_runs_total")));
    service.signal(SIGTERM);
    EXPECT_EQ(service.exit_code(), 0) << service.output();
}

TEST(NewService, BadOptionsEndItWith78) {
    Child service({.program = GANTRY_EXAMPLE, .arguments = {"--watch.mots=5"}});
    EXPECT_EQ(service.exit_code(), 78);
    EXPECT_THAT(service.output(), AllOf(HasSubstr("did you mean `watch.most`?"),
                                        HasSubstr("watch.folder: is required")));
}

}  // namespace
}  // namespace gantry::conformance
