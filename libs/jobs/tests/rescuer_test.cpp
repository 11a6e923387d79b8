#include "gantry/jobs/rescuer.hpp"

#include <gtest/gtest.h>

namespace gantry::jobs {
namespace {

class StillLeasesTest : public ::testing::Test {
protected:
    std::vector<SeenLease> look(std::vector<SeenLease> leases) {
        return still.look(leases, clock.steady_now());
    }
    FakeClock clock;
    StillLeases still{milliseconds{8'000}};
    SeenLease lease{Uuid::v7(), 1, 5};
};

TEST_F(StillLeasesTest, ALeaseIsStillOnlyAfterItWasSeenUnchangedForTheLimit) {
    EXPECT_TRUE(look({lease}).empty()) << "however long it stood before the first look";
    clock.advance(milliseconds{7'999});
    EXPECT_TRUE(look({lease}).empty());
    clock.advance(milliseconds{1});
    EXPECT_EQ(look({lease}), std::vector{lease});
}

TEST_F(StillLeasesTest, ABeatStartsAnew) {
    look({lease});
    clock.advance(milliseconds{7'999});
    ++lease.beat;
    look({lease});
    clock.advance(milliseconds{7'999});
    EXPECT_TRUE(look({lease}).empty());
    clock.advance(milliseconds{1});
    EXPECT_EQ(look({lease}).size(), 1U);
}

TEST_F(StillLeasesTest, AnotherDispatchOfTheJobStartsAnew) {
    look({lease});
    clock.advance(milliseconds{8'000});
    lease.dispatch = 2;
    EXPECT_TRUE(look({lease}).empty());
}

TEST_F(StillLeasesTest, ALeaseThatWentAndCameStartsAnew) {
    look({lease});
    clock.advance(milliseconds{5'000});
    look({});
    clock.advance(milliseconds{5'000});
    EXPECT_TRUE(look({lease}).empty());
}

TEST_F(StillLeasesTest, AnOutageExpiresNobody) {
    look({lease});
    clock.advance(milliseconds{60'000});
    still.forget();
    EXPECT_TRUE(look({lease}).empty());
}

TEST_F(StillLeasesTest, OneThatStaysIsGivenAgain) {
    look({lease});
    clock.advance(milliseconds{8'000});
    EXPECT_EQ(look({lease}).size(), 1U);
    clock.advance(milliseconds{500});
    EXPECT_EQ(look({lease}).size(), 1U) << "taking it may have failed";
}

}  // namespace
}  // namespace gantry::jobs
