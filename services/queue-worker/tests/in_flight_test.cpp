#include "in_flight.hpp"

#include <gtest/gtest.h>

namespace gantry::worker {
namespace {

using Admitted = InFlight::Admitted;

class InFlightTest : public ::testing::Test {
protected:
    Arrival arrival(std::int64_t dispatch, std::int64_t offset, std::int64_t epoch = 1,
                    std::int32_t partition = 0) const {
        return {{job, dispatch, {}}, {"t", partition, epoch}, offset};
    }
    Uuid job = Uuid::v7();
    InFlight in_flight;
};

TEST_F(InFlightTest, AnotherCopyOfAWakeUpHasEnded) {
    EXPECT_EQ(in_flight.admit(arrival(1, 10)).admitted, Admitted::yes);
    EXPECT_EQ(in_flight.admit(arrival(1, 11)).admitted, Admitted::no);
    EXPECT_FALSE(in_flight.end(job));
    EXPECT_EQ(in_flight.size(), 0U);
    EXPECT_EQ(in_flight.admit(arrival(1, 12)).admitted, Admitted::yes);
}

TEST_F(InFlightTest, TheVeryRecordHandedOutAgainHasNotEnded) {
    EXPECT_EQ(in_flight.admit(arrival(1, 10)).admitted, Admitted::yes);
    EXPECT_EQ(in_flight.admit(arrival(1, 10)).admitted, Admitted::known);
    EXPECT_EQ(in_flight.admit(arrival(2, 11)).admitted, Admitted::later);
    EXPECT_EQ(in_flight.admit(arrival(2, 11)).admitted, Admitted::known);
}

TEST_F(InFlightTest, AnOlderDispatchHasEnded) {
    EXPECT_EQ(in_flight.admit(arrival(4, 10)).admitted, Admitted::yes);
    EXPECT_EQ(in_flight.admit(arrival(3, 11)).admitted, Admitted::no);
}

TEST_F(InFlightTest, ANewerDispatchWaitsForTheEndOfTheOld) {
    EXPECT_EQ(in_flight.admit(arrival(1, 10)).admitted, Admitted::yes);
    EXPECT_EQ(in_flight.admit(arrival(2, 11)).admitted, Admitted::later);
    EXPECT_EQ(in_flight.waiting(), 1U);
    const auto waiting = in_flight.end(job);
    ASSERT_TRUE(waiting);
    EXPECT_EQ(waiting->offset, 11);
    EXPECT_EQ(in_flight.waiting(), 0U);
    EXPECT_EQ(in_flight.admit(*waiting).admitted, Admitted::yes);
}

TEST_F(InFlightTest, OnlyTheNewestWaits) {
    in_flight.admit(arrival(1, 10));
    in_flight.admit(arrival(2, 11));
    const auto third = in_flight.admit(arrival(3, 12));
    EXPECT_EQ(third.admitted, Admitted::later);
    ASSERT_TRUE(third.displaced);
    EXPECT_EQ(third.displaced->offset, 11);
    EXPECT_EQ(in_flight.admit(arrival(2, 13)).admitted, Admitted::no);
    EXPECT_EQ(in_flight.end(job)->offset, 12);
}

TEST_F(InFlightTest, TheSameRecordUnderANewerEpochWaits) {
    // The end of the one inside will be refused: then this record is the job's only hope.
    in_flight.admit(arrival(1, 10, 1));
    EXPECT_EQ(in_flight.admit(arrival(1, 10, 2)).admitted, Admitted::later);
    EXPECT_EQ(in_flight.end(job)->source.epoch, 2);
}

TEST_F(InFlightTest, ACopyInAnotherPartitionWaits) {
    // The one inside may lose its partition, and this record would then be the only one.
    in_flight.admit(arrival(1, 10));
    EXPECT_EQ(in_flight.admit(arrival(1, 5, 1, 7)).admitted, Admitted::later);
}

TEST_F(InFlightTest, JobsDoNotKnowEachOther) {
    in_flight.admit(arrival(1, 10));
    job = Uuid::v7();
    EXPECT_EQ(in_flight.admit(arrival(1, 11)).admitted, Admitted::yes);
    EXPECT_EQ(in_flight.size(), 2U);
}

}  // namespace
}  // namespace gantry::worker
