#include "partition_book.hpp"

#include <gtest/gtest.h>

namespace gantry::worker {
namespace {

const kafka::TopicPartition kPlace{"t", 3};

jobs::Source source(std::int64_t epoch) {
    return {"t", 3, epoch};
}

class PartitionBookTest : public ::testing::Test {
protected:
    void open(const jobs::Source& one) { book.open({&one, 1}); }
    void drain(const jobs::Source& one) { book.drain({&one, 1}); }
    void close(const jobs::Source& one) { book.close({&one, 1}); }
    PartitionBook book;
};

TEST_F(PartitionBookTest, KnowsOnlyWhatWasClaimed) {
    EXPECT_FALSE(book.source(kPlace));
    open(source(1));
    ASSERT_TRUE(book.source(kPlace));
    EXPECT_EQ(book.source(kPlace)->epoch, 1);
    EXPECT_TRUE(book.active(source(1)));
    EXPECT_FALSE(book.active(source(2)));
    close(source(1));
    EXPECT_FALSE(book.active(source(1)));
}

TEST_F(PartitionBookTest, ADrainingPartitionStartsNothingAndStillCountsEnds) {
    open(source(1));
    book.received(source(1), 10);
    drain(source(1));
    EXPECT_FALSE(book.active(source(1)));
    EXPECT_FALSE(book.source(kPlace)) << "no further record is taken";
    book.done(source(1), 10);
    ASSERT_EQ(book.take_commits().size(), 1U);
    EXPECT_EQ(book.unfinished(book.sources()), 0U);
}

TEST_F(PartitionBookTest, TheEndOfAnEarlierEpochMovesNoOffset) {
    open(source(1));
    book.received(source(1), 10);
    close(source(1));
    open(source(2));
    book.received(source(2), 10);
    book.done(source(1), 10);
    EXPECT_TRUE(book.take_commits().empty());
    book.done(source(2), 10);
    EXPECT_EQ(book.take_commits(), (std::vector<kafka::TopicPartitionOffset>{{"t", 3, 11}}));
}

TEST_F(PartitionBookTest, ClosingAnEarlierEpochKeepsTheCurrentOne) {
    open(source(2));
    close(source(1));
    EXPECT_TRUE(book.active(source(2)));
}

TEST_F(PartitionBookTest, ACommitThatFailedIsOfferedAgain) {
    open(source(1));
    book.received(source(1), 0);
    book.done(source(1), 0);
    const auto offsets = book.take_commits();
    EXPECT_TRUE(book.take_commits().empty());
    book.commit_failed(offsets);
    EXPECT_EQ(book.take_commits(), offsets);
}

}  // namespace
}  // namespace gantry::worker
