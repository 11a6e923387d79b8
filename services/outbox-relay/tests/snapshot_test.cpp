#include "snapshot.hpp"

#include <gtest/gtest.h>

namespace gantry::relay {
namespace {

TEST(Snapshot, ReadsAndWritesPostgresqlsForm) {
    for (const auto* text : {"10:10:", "10:20:10,14,15", "1:18446744073709551615:7"}) {
        const auto snapshot = Snapshot::parse(text);
        ASSERT_TRUE(snapshot) << text;
        EXPECT_EQ(snapshot->to_string(), text);
    }
}

TEST(Snapshot, SeesWhatWasCommittedBefore) {
    const auto snapshot = Snapshot::parse("10:20:10,14").value();
    EXPECT_TRUE(snapshot.sees(9));
    EXPECT_FALSE(snapshot.sees(10));
    EXPECT_TRUE(snapshot.sees(11));
    EXPECT_FALSE(snapshot.sees(14));
    EXPECT_TRUE(snapshot.sees(19));
    EXPECT_FALSE(snapshot.sees(20));
    EXPECT_FALSE(snapshot.sees(21));
}

TEST(Snapshot, RefusesWhatIsNoSnapshot) {
    for (const auto* text :
         {"", "1", "1:2", "2:1:", "1:9:5,3", "1:9:5,", "1:9:x", "-1:2:", "1:2:3 "}) {
        EXPECT_FALSE(Snapshot::parse(text)) << text;
    }
}

}  // namespace
}  // namespace gantry::relay
