#include "tracker.hpp"

#include <gtest/gtest.h>

namespace gantry::relay {
namespace {

const Instant kNow{std::chrono::seconds{1'700'000'000}};

TEST(Tracker, MovesOnlyOverAnUnbrokenRowOfFinishedRecords) {
    Tracker tracker;
    const auto first = tracker.add({10, 1}, 5, kNow);
    const auto second = tracker.add({10, 2}, 5, kNow);
    const auto third = tracker.add({10, 3}, 5, kNow);
    tracker.finish(third);
    tracker.finish(second);
    EXPECT_EQ(tracker.progress(), Position{});
    EXPECT_EQ(tracker.open_records(), 1U);
    EXPECT_EQ(tracker.open_bytes(), 5U);
    EXPECT_FALSE(tracker.reached(second));
    tracker.finish(first);
    EXPECT_EQ(tracker.progress(), (Position{10, 3}));
    EXPECT_TRUE(tracker.reached(third));
    EXPECT_TRUE(tracker.empty());
}

TEST(Tracker, ReachesAMarkOnceAllBeforeItIsFinished) {
    Tracker tracker;
    const auto record = tracker.add({0, 1}, 5, kNow);
    const auto commit = tracker.mark({20, 0});
    EXPECT_FALSE(tracker.reached(commit));
    tracker.finish(record);
    EXPECT_TRUE(tracker.reached(commit));
    EXPECT_EQ(tracker.progress(), (Position{20, 0}));
}

TEST(Tracker, ReachesAMarkAtOnceWhenNothingIsOpen) {
    Tracker tracker;
    EXPECT_TRUE(tracker.reached(tracker.mark({7, 0})));
    EXPECT_EQ(tracker.progress(), (Position{7, 0}));
}

TEST(Tracker, KeepsOneEntryForMarksInARow) {
    Tracker tracker;
    const auto record = tracker.add({0, 1}, 5, kNow);
    const auto first = tracker.mark({20, 0});
    EXPECT_EQ(tracker.mark({30, 0}), first);
    tracker.finish(record);
    EXPECT_EQ(tracker.progress(), (Position{30, 0}));
    EXPECT_TRUE(tracker.reached(first));
}

TEST(Tracker, IgnoresWhatFinishesAfterAReset) {
    Tracker tracker;
    const auto old = tracker.add({1, 0}, 5, kNow);
    tracker.reset({50, 0});
    const auto fresh = tracker.add({60, 0}, 5, kNow);
    tracker.finish(old);
    EXPECT_EQ(tracker.progress(), (Position{50, 0}));
    EXPECT_EQ(tracker.open_records(), 1U);
    tracker.finish(fresh);
    tracker.finish(fresh);
    EXPECT_EQ(tracker.progress(), (Position{60, 0}));
    EXPECT_EQ(tracker.open_records(), 0U);
}

TEST(Tracker, TellsTheOldestOpenRecord) {
    Tracker tracker;
    EXPECT_EQ(tracker.oldest(), std::nullopt);
    const auto old = tracker.add({1, 0}, 5, kNow);
    tracker.add({2, 0}, 5, kNow + std::chrono::seconds{3});
    EXPECT_EQ(tracker.oldest(), kNow);
    tracker.finish(old);
    EXPECT_EQ(tracker.oldest(), kNow + std::chrono::seconds{3});
}

}  // namespace
}  // namespace gantry::relay
