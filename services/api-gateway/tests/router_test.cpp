#include "router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Router::Match::Kind;

Router router_of(std::vector<std::pair<std::string, std::string>> routes) {
    Router router;
    for (std::size_t i = 0; i < routes.size(); ++i) {
        auto path = PathTemplate::parse(routes[i].second);
        EXPECT_TRUE(path) << path.error().message;
        EXPECT_TRUE(router.add(routes[i].first, *path, i));
    }
    return router;
}

Router::Match match(const Router& router, std::string_view method, std::string_view path) {
    auto found = router.match(method, path);
    EXPECT_TRUE(found);
    return found ? *found : Router::Match{};
}

TEST(PathTemplate, ReadsEveryForm) {
    const auto path = PathTemplate::parse("/v1/{name=shelves/*/books/**}:move");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->segments.size(), 5U);
    EXPECT_EQ(path->verb, "move");
    ASSERT_EQ(path->variables.size(), 1U);
    EXPECT_EQ(path->variables[0].field_path, "name");
    EXPECT_EQ(path->variables[0].first, 1U);
    EXPECT_EQ(path->variables[0].count, 4U);
    EXPECT_TRUE(PathTemplate::parse("/v1/{order.id}/items/{item_id}"));
    EXPECT_TRUE(PathTemplate::parse("/v1/*/x"));
}

TEST(PathTemplate, RefusesMalformedOnesAndSaysWhere) {
    for (const char* text :
         {"", "v1", "/", "/v1/", "//", "/v1/{", "/v1/{}", "/v1/{id", "/v1/{id}x", "/v1/{a=**}/b",
          "/v1/**/b", "/v1/{a={b}}", "/v1/x:", "/v1/{id}/{id}", "/v1/a b", "/v1/{a=}"}) {
        const auto path = PathTemplate::parse(text);
        ASSERT_FALSE(path) << text;
        EXPECT_THAT(path.error().message, HasSubstr("position")) << text;
    }
}

TEST(Router, BindsVariablesDecoded) {
    const Router router = router_of({{"GET", "/v1/jobs/{id}"}, {"GET", "/v1/{a=x/*}/y/{b}"}});
    EXPECT_THAT(match(router, "GET", "/v1/jobs/a%20b%2Fc").variables, ElementsAre("a b/c"));
    EXPECT_THAT(match(router, "GET", "/v1/x/7%2F8/y/%41").variables, ElementsAre("x/7%2F8", "A"));
}

TEST(Router, TellsWrongPathFromWrongMethod) {
    const Router router = router_of({{"GET", "/v1/jobs"}, {"POST", "/v1/jobs"}});
    EXPECT_EQ(match(router, "GET", "/v1/job").kind, Kind::no_path);
    EXPECT_EQ(match(router, "GET", "/v1/jobs/").kind, Kind::no_path);
    EXPECT_EQ(match(router, "GET", "/v1//jobs").kind, Kind::no_path);
    const auto wrong = match(router, "DELETE", "/v1/jobs");
    EXPECT_EQ(wrong.kind, Kind::no_method);
    EXPECT_EQ(wrong.allow, "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(match(router, "HEAD", "/v1/jobs").route, 0U);
}

TEST(Router, PrefersLiteralsThenOneSegmentThenMany) {
    const Router router = router_of({{"GET", "/v1/{rest=**}"},
                                     {"GET", "/v1/{id}"},
                                     {"GET", "/v1/jobs"},
                                     {"GET", "/v1/jobs/{id}/x"},
                                     {"GET", "/v1/{kind}/all"}});
    EXPECT_EQ(match(router, "GET", "/v1/jobs").route, 2U);
    EXPECT_EQ(match(router, "GET", "/v1/other").route, 1U);
    EXPECT_EQ(match(router, "GET", "/v1/jobs/7/x").route, 3U);
    EXPECT_EQ(match(router, "GET", "/v1/jobs/all").route, 4U) << "backs out of the literal";
    const auto rest = match(router, "GET", "/v1/a/b/c");
    EXPECT_EQ(rest.route, 0U);
    EXPECT_THAT(rest.variables, ElementsAre("a/b/c"));
    EXPECT_THAT(match(router, "GET", "/v1").variables, ElementsAre(""));
}

TEST(Router, TakesVerbsOffTheLastSegment) {
    const Router router = router_of({{"POST", "/v1/jobs/{id}:cancel"},
                                     {"GET", "/v1/jobs/{id}"},
                                     {"POST", "/v1/jobs:batch"},
                                     {"POST", "/v1/jobs"}});
    EXPECT_THAT(match(router, "POST", "/v1/jobs/7:cancel").variables, ElementsAre("7"));
    EXPECT_EQ(match(router, "POST", "/v1/jobs:batch").route, 2U);
    EXPECT_THAT(match(router, "GET", "/v1/jobs/a:b").variables, ElementsAre("a:b"));
    EXPECT_THAT(match(router, "GET", "/v1/jobs/7%3Acancel").variables, ElementsAre("7:cancel"));
    EXPECT_EQ(match(router, "POST", "/v1/jobs:").kind, Kind::no_path);
    EXPECT_EQ(match(router, "POST", "/v1/jobs/7:retry").kind, Kind::no_method)
        << "the path of GET /v1/jobs/{id}";
}

TEST(Router, RefusesTemplatesThatNoRequestCanTellApart) {
    Router router;
    ASSERT_TRUE(router.add("GET", *PathTemplate::parse("/v1/jobs/{id}"), 0));
    EXPECT_TRUE(router.add("POST", *PathTemplate::parse("/v1/jobs/{id}"), 1));
    EXPECT_TRUE(router.add("GET", *PathTemplate::parse("/v1/jobs/{id}:x"), 2));
    EXPECT_FALSE(router.add("GET", *PathTemplate::parse("/v1/jobs/{name}"), 3));
    EXPECT_FALSE(router.add("GET", *PathTemplate::parse("/v1/{x=jobs/*}"), 4));
}

TEST(Router, RefusesBrokenEscapes) {
    const Router router = router_of({{"GET", "/v1/jobs/{id}"}});
    for (const char* path : {"/v1/jobs/%", "/v1/jobs/%4", "/v1/jobs/%zz", "/v1/jobs/%ff"}) {
        EXPECT_FALSE(router.match("GET", path)) << path;
    }
}

}  // namespace
}  // namespace gantry::gateway
