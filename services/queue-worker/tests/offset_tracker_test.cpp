#include "offset_tracker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace gantry::worker {
namespace {

TEST(OffsetTracker, OffersNothingBeforeARecordHasEnded) {
    OffsetTracker tracker;
    EXPECT_EQ(tracker.take_commit(), std::nullopt);
    tracker.received(7);
    EXPECT_EQ(tracker.take_commit(), std::nullopt);
    EXPECT_EQ(tracker.open(), 1U);
}

TEST(OffsetTracker, NeverPassesARecordThatHasNotEnded) {
    OffsetTracker tracker;
    for (const std::int64_t offset : {10, 11, 12}) {
        tracker.received(offset);
    }
    tracker.done(12);
    tracker.done(11);
    EXPECT_EQ(tracker.take_commit(), std::nullopt);
    tracker.done(10);
    EXPECT_EQ(tracker.take_commit(), 13);
    EXPECT_EQ(tracker.take_commit(), std::nullopt) << "an offset is offered once";
}

TEST(OffsetTracker, GapsOfCompactionAndMarkersAreNoRecords) {
    OffsetTracker tracker;
    for (const std::int64_t offset : {3, 9, 40}) {
        tracker.received(offset);
    }
    tracker.done(3);
    EXPECT_EQ(tracker.take_commit(), 4);
    tracker.done(9);
    tracker.done(40);
    EXPECT_EQ(tracker.take_commit(), 41);
}

TEST(OffsetTracker, OffersAgainWhatWasNotCommitted) {
    OffsetTracker tracker;
    tracker.received(0);
    tracker.done(0);
    EXPECT_EQ(tracker.take_commit(), 1);
    tracker.commit_failed();
    EXPECT_EQ(tracker.take_commit(), 1);
}

TEST(OffsetTracker, DoneIsIdempotentAndIgnoresTheUnknown) {
    OffsetTracker tracker;
    tracker.received(5);
    tracker.done(4);
    tracker.done(6);
    tracker.done(5);
    tracker.done(5);
    EXPECT_EQ(tracker.open(), 0U);
    EXPECT_EQ(tracker.take_commit(), 6);
}

TEST(OffsetTracker, ARecordThatIsHandedOutAgainIsOpenAgain) {
    OffsetTracker tracker;
    tracker.received(5);
    tracker.received(6);
    tracker.done(5);
    EXPECT_EQ(tracker.take_commit(), 6);
    tracker.received(5);
    EXPECT_EQ(tracker.open(), 1U);
    tracker.done(6);
    EXPECT_EQ(tracker.take_commit(), 5) << "6 will come again, so it is not trusted yet";
    tracker.done(5);
    EXPECT_EQ(tracker.take_commit(), 6);
}

TEST(OffsetTracker, ATopicMadeAnewStartsFromItsBeginning) {
    OffsetTracker tracker;
    tracker.received(1'000);
    tracker.done(1'000);
    EXPECT_EQ(tracker.take_commit(), 1'001);
    tracker.received(0);
    EXPECT_EQ(tracker.take_commit(), 0);
    tracker.done(0);
    EXPECT_EQ(tracker.take_commit(), 1);
}

TEST(OffsetTracker, TheCommitIsTheFirstOpenRecordInEveryOrderOfEnds) {
    std::mt19937 random(20'260'203);
    for (int round = 0; round < 200; ++round) {
        OffsetTracker tracker;
        std::vector<std::int64_t> offsets;
        for (std::int64_t offset = 0; offsets.size() < 40; offset += 1 + random() % 3) {
            offsets.push_back(offset);
            tracker.received(offset);
        }
        std::set<std::int64_t> open(offsets.begin(), offsets.end());
        std::ranges::shuffle(offsets, random);
        for (const auto offset : offsets) {
            tracker.done(offset);
            open.erase(offset);
            if (const auto commit = tracker.take_commit()) {
                EXPECT_LE(*commit, open.empty() ? 1'000 : *open.begin());
            }
        }
        EXPECT_EQ(tracker.open(), 0U);
    }
}

}  // namespace
}  // namespace gantry::worker
