// The gantryctl binary against the outbox-relay binary, PostgreSQL and Kafka.

#include "bench.hpp"
#include "child.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gantry::ctl {
namespace {

using relay::testing::Bench;
using relay::testing::Mode;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ended {
    int code;
    std::string output;  ///< Both streams.
    [[nodiscard]] nlohmann::json json() const {
        return nlohmann::json::parse(output, nullptr, false);
    }
};

Ended gantryctl(const std::string& server, std::vector<std::string> arguments) {
    conformance::Child child({.program = GANTRYCTL_BINARY,
                              .arguments = std::move(arguments),
                              .environment = {"GANTRY_SERVER=" + server}});
    const int code = child.exit_code();
    return {code, child.output()};
}

// Where the relay's gRPC server listens, once it says so.
std::string address_of(const relay::testing::RelayProcess& relay) {
    const std::string before = R"("server":"grpc","address":")";
    EXPECT_TRUE(Bench::eventually([&] { return relay.logged(before); })) << relay.log();
    const auto log = relay.log();
    const auto begin = log.find(before) + before.size();
    return log.substr(begin, log.find('"', begin) - begin);
}

class Outbox : public ::testing::Test {
protected:
    Outbox() : relay_(bench_.relay()), server_(address_of(*relay_)) {}

    Ended ctl(std::vector<std::string> arguments) {
        return gantryctl(server_, std::move(arguments));
    }
    // Commits an event for a topic that nobody has made, and waits until it is set aside.
    void park(const std::string& topic, const std::string& payload) {
        const auto parked = bench_.number("SELECT count(*) FROM gantry.outbox_parked");
        bench_.database().exec("SELECT gantry.publish($1, 'patient-7', 'lab.result', $2::bytea)",
                               {topic, postgres::Bytes{payload}});
        ASSERT_TRUE(Bench::eventually([&] {
            return bench_.number("SELECT count(*) FROM gantry.outbox_parked") == parked + 1;
        })) << relay_->log();
    }

    Bench bench_{Mode::wal};
    std::unique_ptr<relay::testing::RelayProcess> relay_;
    std::string server_;
};

TEST_F(Outbox, ShowsARecordThatKafkaRefusedWithoutItsKeyAndPayload) {
    const auto topic = bench_.prefix() + ".lab";
    park(topic, "patient-7:1");
    const auto list = ctl({"outbox", "parked", "-o", "json"});
    ASSERT_EQ(list.code, 0) << list.output;
    const auto records = list.json().at("records");
    ASSERT_EQ(records.size(), 1U) << list.output;
    EXPECT_EQ(records[0].at("topic"), topic);
    EXPECT_EQ(records[0].at("type"), "lab.result");
    EXPECT_EQ(records[0].at("reason"), "UNKNOWN_TOPIC");
    EXPECT_EQ(records[0].at("payloadBytes"), "11");
    EXPECT_THAT(list.output, Not(HasSubstr("patient-7")));
    EXPECT_THAT(ctl({"outbox", "parked"}).output, HasSubstr(topic + "  lab.result  UNKNOWN_TOPIC"));

    const auto stats = ctl({"outbox", "stats", "-o", "json"});
    EXPECT_EQ(stats.code, 0) << stats.output;
    EXPECT_EQ(stats.json().value("parked", ""), "1") << stats.output;
    EXPECT_EQ(stats.json().value("leader", false), true) << stats.output;
    EXPECT_EQ(stats.json().value("mode", ""), "WAL") << stats.output;
}

TEST(Gantryctl, NamesTheAddressThatItCannotReach) {
    const auto refused = gantryctl("127.0.0.1:1", {"outbox", "stats"});
    EXPECT_EQ(refused.code, 69);
    EXPECT_THAT(refused.output, HasSubstr("127.0.0.1:1 cannot be reached"));
    EXPECT_EQ(gantryctl("127.0.0.1:1", {"outbox", "stats", "--colour"}).code, 2);
}

}  // namespace
}  // namespace gantry::ctl
