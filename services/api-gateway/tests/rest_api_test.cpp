#include "rest_api.hpp"

#include "public_api.hpp"

#include "gantry/testing/forms.pb.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace gantry::gateway {
namespace {

using testing::Everything;
using ::testing::HasSubstr;

const google::protobuf::ServiceDescriptor* service(const char* name) {
    return Everything::descriptor()->file()->FindServiceByName(name);
}

RestApi forms() {
    const auto* descriptor = service("Forms");
    auto api = RestApi::create(std::span(&descriptor, 1));
    EXPECT_TRUE(api) << api.error().message;
    return std::move(*api);
}

Result<Everything> read(const RestApi& api, HttpRequest request) {
    const auto match = api.router().match(request.method, request.path);
    EXPECT_TRUE(match && match->kind == Router::Match::Kind::found) << request.path;
    auto message = api.route(match->route).read(request, match->variables);
    if (!message) {
        return std::unexpected(message.error());
    }
    Everything all;
    all.CopyFrom(**message);
    return all;
}

const Route& route(const RestApi& api, std::string_view method, std::string_view path) {
    return api.route(api.router().match(method, path)->route);
}

TEST(RestApi, MapsEveryPublicMethodOfTheLinkedProtos) {
    std::vector<const google::protobuf::ServiceDescriptor*> services;
    for (const auto& each : public_services()) {
        services.push_back(each.descriptor);
    }
    EXPECT_GE(services.size(), 5U);
    const auto api = RestApi::create(services);
    ASSERT_TRUE(api) << api.error().message;
    EXPECT_EQ(route(*api, "POST", "/v1/jobs").grpc_path(), "/gantry.jobs.v1.JobService/Enqueue");
    EXPECT_EQ(route(*api, "POST", "/v1/orders/7/process").label(), "POST /v1/orders/{id}/process");
}

TEST(RestApi, BindsPathQueryAndBody) {
    const RestApi api = forms();
    EXPECT_EQ(read(api, {.method = "GET", .path = "/t/a%20b", .query = "small=3"})->small(), 3);
    const auto nested = read(api, {.method = "GET", .path = "/t/n/of/a/b"});
    EXPECT_EQ(nested->inner().name(), "n");
    EXPECT_EQ(nested->text(), "a/b");
    EXPECT_EQ(read(api, {.method = "GET", .path = "/t/all/x/y"})->text(), "x/y");
    const auto whole =
        read(api, {.method = "POST", .path = "/t/n:whole", .body = R"({"text":"x"})"});
    EXPECT_EQ(whole->inner().name(), "n");
    EXPECT_EQ(whole->text(), "x");
    const auto part = read(
        api, {.method = "PUT", .path = "/t/x/inner", .query = "small=2", .body = R"({"count":5})"});
    EXPECT_EQ(part->inner().count(), 5);
    EXPECT_EQ(part->small(), 2);
    EXPECT_EQ(
        read(api, {.method = "PATCH", .path = "/t/x/inners", .body = "[{},{}]"})->inners_size(), 2);
    EXPECT_TRUE(read(api, {.method = "REPORT", .path = "/t/odd"}));
    EXPECT_TRUE(read(api, {.method = "POST", .path = "/t/n:whole"})) << "an empty body is {}";
}

TEST(RestApi, RefusesWhatNoFieldTakes) {
    const RestApi api = forms();
    const auto refused = [&](HttpRequest request) {
        const auto message = read(api, request);
        EXPECT_FALSE(message) << request.path;
        return message ? std::string() : message.error().fields.front().field;
    };
    EXPECT_EQ(refused({.method = "GET", .path = "/t/x", .query = "text=y"}), "text");
    EXPECT_EQ(refused({.method = "POST", .path = "/t/n:whole", .query = "small=1"}), "small");
    EXPECT_EQ(refused({.method = "PUT", .path = "/t/x/inner", .query = "inner.count=1"}),
              "inner.count");
    EXPECT_EQ(
        refused({.method = "POST", .path = "/t/n:whole", .body = R"({"inner":{"name":"m"}})"}),
        "inner.name");
    EXPECT_EQ(refused({.method = "GET", .path = "/t/x", .body = "{}"}), "body");
    EXPECT_EQ(refused({.method = "GET", .path = "/t/%00"}), "text");
}

TEST(RestApi, PutsTheIdempotencyKeyIntoTheRequestId) {
    const RestApi api = forms();
    const HttpRequest request{
        .method = "POST", .path = "/t/n:whole", .idempotency_key = "k", .body = "{}"};
    EXPECT_EQ(read(api, request)->request_id(), "k");
    HttpRequest both = request;
    both.body = R"({"requestId":"k"})";
    EXPECT_EQ(read(api, both)->request_id(), "k");
    both.body = R"({"requestId":"other"})";
    EXPECT_EQ(read(api, both).error().fields.front().field, "requestId");
}

TEST(RestApi, AnswersAsTheOptionsSay) {
    const RestApi api = forms();
    Everything all;
    all.set_text("a b/c");
    all.mutable_inner()->set_name("n");
    all.add_tags("t");
    const HttpResponse whole = route(api, "POST", "/t/n:whole").write(all);
    EXPECT_EQ(whole.status, 202);
    ASSERT_EQ(whole.headers.size(), 1U);
    EXPECT_EQ(whole.headers[0].second, "/x/a%20b%2Fc/y/n");
    EXPECT_EQ(route(api, "PUT", "/t/x/inner").write(all).body,
              R"({"name":"n","count":0,"child":null})");
    EXPECT_EQ(route(api, "PATCH", "/t/x/inners").write(all).body, R"(["t"])");
    EXPECT_EQ(route(api, "GET", "/t/x").write(all).status, 200);
    all.clear_text();
    EXPECT_TRUE(route(api, "POST", "/t/n:whole").write(all).headers.empty())
        << "no Location without all of its fields";
}

TEST(RestApi, DoesNotStartWithConflicts) {
    const auto* clash = service("Clash");
    const auto api = RestApi::create(std::span(&clash, 1));
    ASSERT_FALSE(api);
    EXPECT_THAT(api.error().message, HasSubstr("gantry.testing.Clash.B"));
}

TEST(RestApi, ListsEveryAnnotationThatCannotWork) {
    const auto* faulty = service("Faulty");
    const auto api = RestApi::create(std::span(&faulty, 1));
    ASSERT_FALSE(api);
    for (const char* part :
         {"Faulty.NoOption: it has no google.api.http option", "Faulty.UnknownField",
          "Faulty.BadTemplate", "Faulty.MessageInPath", "Faulty.UnknownBody", "Faulty.BodyOfGet",
          "Faulty.UnknownAnswer", "Faulty.Unsupported: the type google.protobuf.Struct",
          "Faulty.Streams"}) {
        EXPECT_THAT(api.error().message, HasSubstr(part));
    }
}

}  // namespace
}  // namespace gantry::gateway
