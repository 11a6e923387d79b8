#include "run.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace gantry::ctl {
namespace {

namespace v1 = gantry::outbox::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Outbox : public testing::Run {
protected:
    // Answers as the relay does: pages of what is parked, ids from 1.
    void park(int count) {
        outbox.list = [this, count](const v1::ListParkedRequest& request) {
            asked.push_back(request);
            v1::ListParkedResponse page;
            int id = request.page_token().empty() ? 0 : std::stoi(request.page_token());
            while (id < count && page.records_size() < request.page_size()) {
                auto& record = *page.add_records();
                record.set_id(++id);
                record.set_topic("topic-" + std::to_string(id));
                record.set_reason("UNKNOWN_TOPIC");
            }
            if (id < count) {
                page.set_next_page_token(std::to_string(id));
            }
            return page;
        };
    }
    [[nodiscard]] std::vector<int> page_sizes() const {
        std::vector<int> sizes;
        for (const auto& request : asked) {
            sizes.push_back(request.page_size());
        }
        return sizes;
    }
    std::vector<v1::ListParkedRequest> asked;
};

TEST_F(Outbox, ShowsStats) {
    outbox.stats = [](const v1::GetStatsRequest&) {
        v1::OutboxStats stats;
        stats.set_mode(v1::WAL);
        stats.set_parked(3);
        stats.mutable_oldest_unpublished_age()->set_seconds(90);
        return stats;
    };
    EXPECT_EQ(run({"outbox", "stats"}), 0);
    EXPECT_THAT(out(), HasSubstr("mode                    WAL\n"));
    EXPECT_THAT(out(), HasSubstr("oldest unpublished age  1m30s\n"));
    EXPECT_EQ(run({"outbox", "stats", "-o", "json"}), 0);
    EXPECT_EQ(nlohmann::json::parse(out())["parked"], "3");
}

TEST_F(Outbox, ListsWhatIsParkedOverAllPages) {
    park(2'500);
    EXPECT_EQ(run({"outbox", "parked", "--limit=0"}), 0);
    EXPECT_THAT(page_sizes(), ElementsAre(1'000, 1'000, 1'000));
    EXPECT_EQ(std::ranges::count(out(), '\n'), 2'501);
    EXPECT_THAT(out(), HasSubstr("topic-2500 "));
    EXPECT_THAT(err(), IsEmpty());
}

TEST_F(Outbox, SaysWhenItShowsOnlySome) {
    park(30);
    EXPECT_EQ(run({"outbox", "parked", "--limit=20"}), 0);
    EXPECT_THAT(page_sizes(), ElementsAre(20));
    EXPECT_EQ(std::ranges::count(out(), '\n'), 21);
    EXPECT_THAT(err(), HasSubstr("there are more"));
    EXPECT_EQ(run({"outbox", "parked", "--limit=30"}), 0);
    EXPECT_THAT(err(), IsEmpty());
}

TEST_F(Outbox, ListsAsOneJsonObject) {
    park(1'001);
    EXPECT_EQ(run({"outbox", "parked", "--limit=0", "-o", "json"}), 0);
    const auto json = nlohmann::json::parse(out());
    ASSERT_EQ(json["records"].size(), 1'001U);
    EXPECT_EQ(json["records"][1'000]["topic"], "topic-1001");
    park(0);
    EXPECT_EQ(run({"outbox", "parked", "-o", "json"}), 0);
    EXPECT_TRUE(nlohmann::json::parse(out())["records"].empty());
}

}  // namespace
}  // namespace gantry::ctl
