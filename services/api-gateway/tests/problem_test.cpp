#include "problem.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>

namespace gantry::gateway {
namespace {

using nlohmann::json;

struct Row {
    Code code;
    int status;
    std::string_view title;
};

class ProblemTable : public ::testing::TestWithParam<Row> {};

TEST_P(ProblemTable, MapsTheCode) {
    const Row& row = GetParam();
    const HttpResponse response = problem(Error{row.code, "said so", "BECAUSE", {}}, {"/p", "t"});
    EXPECT_EQ(response.status, row.status);
    EXPECT_EQ(response.content_type, "application/problem+json");
    const json body = json::parse(response.body);
    EXPECT_EQ(body["status"], row.status);
    EXPECT_EQ(body["title"], row.title);
    EXPECT_EQ(body["detail"], "said so");
    EXPECT_EQ(body["code"], to_string(row.code));
    EXPECT_EQ(body["reason"], "BECAUSE");
    EXPECT_EQ(body["instance"], "/p");
    EXPECT_EQ(body["trace_id"], "t");
    EXPECT_EQ(body["type"], "about:blank");
}

INSTANTIATE_TEST_SUITE_P(Rows, ProblemTable,
                         ::testing::Values(Row{Code::cancelled, 499, "Client Closed Request"},
                                           Row{Code::unknown, 500, "Internal Server Error"},
                                           Row{Code::invalid_argument, 400, "Bad Request"},
                                           Row{Code::deadline_exceeded, 504, "Gateway Timeout"},
                                           Row{Code::not_found, 404, "Not Found"},
                                           Row{Code::already_exists, 409, "Conflict"},
                                           Row{Code::permission_denied, 403, "Forbidden"},
                                           Row{Code::resource_exhausted, 429, "Too Many Requests"},
                                           Row{Code::failed_precondition, 409, "Conflict"},
                                           Row{Code::aborted, 409, "Conflict"},
                                           Row{Code::out_of_range, 400, "Bad Request"},
                                           Row{Code::unimplemented, 501, "Not Implemented"},
                                           Row{Code::internal, 500, "Internal Server Error"},
                                           Row{Code::unavailable, 503, "Service Unavailable"},
                                           Row{Code::data_loss, 500, "Internal Server Error"},
                                           Row{Code::unauthenticated, 401, "Unauthorized"}));

TEST(Problem, ListsFieldsInJsonsSpelling) {
    const HttpResponse response =
        problem(Error{Code::invalid_argument,
                      "2 faults",
                      "",
                      {{"run_at", "must be later"}, {"items[0].item_code", "must not be empty"}}},
                {});
    const json body = json::parse(response.body);
    EXPECT_EQ(body["errors"][0]["field"], "runAt");
    EXPECT_EQ(body["errors"][1]["field"], "items[0].itemCode");
    EXPECT_EQ(body["errors"][1]["description"], "must not be empty");
    EXPECT_FALSE(body.contains("reason"));
    EXPECT_FALSE(body.contains("trace_id"));
}

TEST(Problem, NamesTheResourceThatIsInTheWay) {
    const HttpResponse response = problem(
        Error{Code::already_exists, "taken", "", {{"gantry.orders.v1.Order", "some_id"}}}, {});
    const json body = json::parse(response.body);
    EXPECT_EQ(body["resource"]["type"], "gantry.orders.v1.Order");
    EXPECT_EQ(body["resource"]["id"], "some_id");
    EXPECT_FALSE(body.contains("errors"));
}

TEST(Problem, SaysWhenToTryAgain) {
    const auto retries = [](Code code) {
        for (const auto& [name, value] : problem(Error{code, "", "", {}}, {}).headers) {
            if (name == "Retry-After") {
                return value;
            }
        }
        return std::string();
    };
    EXPECT_EQ(retries(Code::unavailable), "1");
    EXPECT_EQ(retries(Code::resource_exhausted), "1");
    EXPECT_EQ(retries(Code::unknown), "") << "a blind repeat could do the work twice";
}

}  // namespace
}  // namespace gantry::gateway
