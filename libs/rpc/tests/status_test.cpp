#include "gantry/rpc/status.hpp"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include <gtest/gtest.h>

namespace gantry::rpc {
namespace {

template <class Detail>
bool has_detail(const grpc::Status& status, Detail* out) {
    google::rpc::Status details;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_EQ(details.code(), status.error_code());
    for (const auto& detail : details.details()) {
        if (detail.UnpackTo(out)) {
            return true;
        }
    }
    return false;
}

TEST(Status, EveryCodeGoesThereAndBack) {
    for (int code = 1; code <= 16; ++code) {
        const Error error{static_cast<Code>(code), "said so", "BECAUSE", {}};
        const grpc::Status status = to_status(error);
        EXPECT_EQ(static_cast<int>(status.error_code()), code);
        const Error back = to_error(status);
        EXPECT_EQ(back.code, error.code);
        EXPECT_EQ(back.reason, "BECAUSE");
        EXPECT_TRUE(has_details(status));
    }
}

TEST(Status, EveryFieldViolationTravels) {
    const Error error{Code::invalid_argument,
                      "2 fields are at fault.",
                      "",
                      {{"queue", "must be declared"}, {"items[0].code", "must not be empty"}}};
    const Error back = to_error(to_status(error));
    ASSERT_EQ(back.fields.size(), 2U);
    EXPECT_EQ(back.fields[1].field, "items[0].code");
    EXPECT_EQ(back.fields[1].description, "must not be empty");
}

TEST(Status, UnavailableSaysWhenToTryAgain) {
    google::rpc::RetryInfo retry;
    EXPECT_TRUE(has_detail(to_status(Error{Code::unavailable, "away", "", {}}), &retry));
    EXPECT_EQ(retry.retry_delay().seconds(), 1);
    EXPECT_FALSE(has_detail(to_status(Error{Code::internal, "bug", "", {}}), &retry));
}

TEST(Status, AlreadyExistsNamesTheResource) {
    const Error error{
        Code::already_exists, "taken", "NUMBER_TAKEN", {{"gantry.orders.v1.Order", "some-id"}}};
    google::rpc::ResourceInfo resource;
    const grpc::Status status = to_status(error);
    ASSERT_TRUE(has_detail(status, &resource));
    EXPECT_EQ(resource.resource_name(), "some-id");
    EXPECT_EQ(to_error(status).fields.front().description, "some-id");
}

TEST(Status, InternalTextStaysInside) {
    for (const Code code : {Code::internal, Code::data_loss, Code::unknown}) {
        const grpc::Status status = to_status(Error{code, "ERROR: relation secret", "", {}});
        EXPECT_EQ(status.error_message().find("secret"), std::string::npos);
        EXPECT_EQ(status.error_details().find("secret"), std::string::npos);
    }
    const grpc::Status told =
        to_status(Error{Code::unknown, "Repeat with the same request_id.", "COMMIT_UNKNOWN", {}});
    EXPECT_EQ(told.error_message(), "Repeat with the same request_id.");
}

TEST(Status, ReadsStatusesWithoutDetails) {
    const grpc::Status bare(grpc::StatusCode::UNAVAILABLE, "connection refused");
    EXPECT_FALSE(has_details(bare));
    EXPECT_EQ(to_error(bare).code, Code::unavailable);
}

}  // namespace
}  // namespace gantry::rpc
