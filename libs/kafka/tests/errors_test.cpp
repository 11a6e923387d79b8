#include "../src/errors.hpp"

#include <gtest/gtest.h>

namespace gantry::kafka {
namespace {

TEST(Errors, TellWhatPassesFromWhatStays) {
    for (const auto code :
         {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
          RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
          RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
          RD_KAFKA_RESP_ERR__QUEUE_FULL}) {
        EXPECT_TRUE(to_error(code, "x").transient()) << rd_kafka_err2name(code);
        EXPECT_FALSE(refuses_record(code)) << rd_kafka_err2name(code);
    }
    for (const auto code :
         {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
          RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
          RD_KAFKA_RESP_ERR_INVALID_RECORD}) {
        EXPECT_FALSE(to_error(code, "x").transient()) << rd_kafka_err2name(code);
        EXPECT_TRUE(refuses_record(code)) << rd_kafka_err2name(code);
    }
}

TEST(Errors, PurgedRecordsAreNobodysFault) {
    EXPECT_EQ(to_error(RD_KAFKA_RESP_ERR__PURGE_QUEUE, "x").code, Code::cancelled);
    EXPECT_FALSE(refuses_record(RD_KAFKA_RESP_ERR__PURGE_QUEUE));
}

TEST(Errors, CarryKafkasNameAsTheirReason) {
    EXPECT_EQ(to_error(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "x").reason, "UNKNOWN_TOPIC");
    EXPECT_EQ(to_error(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "x").reason, "MSG_SIZE_TOO_LARGE");
}

}  // namespace
}  // namespace gantry::kafka
