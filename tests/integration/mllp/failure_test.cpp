// What the listener promises when the database fails, and when it stops.

#include "listener_fixture.hpp"

#include <set>
#include <thread>

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

// A sender that repeats each message until it is accepted. `accepted` gets every control id that
// was answered AA.
class Sender {
public:
    Sender(std::string address, std::string name, std::function<std::string(std::string)> message)
        : address_(std::move(address)), name_(std::move(name)), message_(std::move(message)) {}

    // Sends messages until `count` are accepted; the repeats that this took.
    int send_all(int count) {
        int repeats = 0;
        for (int i = 0; i < count; ++i) {
            const auto id = name_ + '.' + std::to_string(i);
            while (!try_send(id)) {
                if (++repeats > 1000) {
                    ADD_FAILURE() << "no end of repeats";
                    return repeats;
                }
            }
        }
        return repeats;
    }

    // Sends messages until the listener takes no more.
    void send_until_closed() {
        for (int i = 0; try_send(name_ + '.' + std::to_string(i)); ++i) {
        }
    }

    std::set<std::string> accepted;

private:
    bool try_send(const std::string& id) {
        if (!client_) {
            try {
                client_.emplace(address_);
            } catch (const std::exception&) {
                return false;
            }
        }
        const bool sent = client_->send_message(message_(id));
        const auto answer = sent ? client_->answer() : std::nullopt;
        if (!answer) {
            client_.reset();
            return false;
        }
        EXPECT_NE(answer->find("MSA|AA|" + id + '\r'), std::string::npos);
        accepted.insert(id);
        return true;
    }

    std::string address_;
    std::string name_;
    std::function<std::string(std::string)> message_;
    std::optional<MllpClient> client_;
};

class FailureTest : public ListenerTest {
protected:
    std::vector<Sender> senders(int count) {
        std::vector<Sender> all;
        for (int i = 0; i < count; ++i) {
            all.emplace_back(listener->address(), std::to_string(i),
                             [](const std::string& id) { return order(id); });
        }
        return all;
    }

    static std::set<std::string> accepted(const std::vector<Sender>& all) {
        std::set<std::string> ids;
        for (const auto& sender : all) {
            ids.insert(sender.accepted.begin(), sender.accepted.end());
        }
        return ids;
    }

    std::set<std::string> in_table() const {
        const auto ids = stored();
        std::set<std::string> unique(ids.begin(), ids.end());
        EXPECT_EQ(unique.size(), ids.size()) << "something is stored twice";
        return unique;
    }
};

TEST_F(FailureTest, LosesNothingWhenSessionsAreKilledInABurst) {
    begin();
    constexpr int kSenders = 8;
    constexpr int kMessages = 100;
    auto all = senders(kSenders);
    {
        std::vector<std::jthread> threads;
        for (auto& sender : all) {
            threads.emplace_back([&sender] { sender.send_all(kMessages); });
        }
        for (int i = 1; i <= 8; ++i) {
            EXPECT_TRUE(wait_until_counted("hl7_message", i * 80));
            // The sessions of the pool, and with bad luck the one that counts.
            database.kill_sessions();
        }
    }
    EXPECT_EQ(accepted(all).size(), std::size_t{kSenders} * kMessages);
    EXPECT_EQ(in_table(), accepted(all));
    EXPECT_EQ(count("outbox_message WHERE topic = 'gantry.hl7.orm'"), kSenders * kMessages);
    EXPECT_EQ(count("job"), kSenders * kMessages);
}

TEST_F(FailureTest, DoesNotAnswerWhatASessionLostBeforeItsCommit) {
    options.store_wait = 1s;
    begin();
    Blockade blockade(database);
    auto client = connect();
    client.send_message(order("1"));
    blockade.wait_for(1);
    const auto rows = database.exec(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks WHERE NOT granted AND "
        "relation = 'gantry.hl7_dedup'::regclass");
    EXPECT_EQ(rows.front().get<std::int64_t>(0), 1);
    EXPECT_FALSE(client.answer(200ms).has_value());
    EXPECT_EQ(count("hl7_message"), 0);
    // The listener tries again by itself.
    blockade.lift();
    EXPECT_EQ(verdict(client.answer()), "AA|1");
    EXPECT_EQ(count("hl7_message"), 1);
}

TEST_F(FailureTest, ClosesWithoutAnAnswerWhileTheStoreIsAwayAndRecovers) {
    options.store_wait = 500ms;
    begin();
    database.exec("ALTER TABLE gantry.hl7_message RENAME TO elsewhere");
    auto client = connect();
    client.send_message(order("1"));
    EXPECT_FALSE(client.answer().has_value());
    EXPECT_TRUE(client.ended());
    EXPECT_FALSE(committer->store_up());
    // A connection that waits meanwhile is not closed; it is read when the store is back.
    auto waiting = connect();
    waiting.send_message(order("2"));
    EXPECT_FALSE(waiting.answer(700ms).has_value());
    database.exec("ALTER TABLE gantry.elsewhere RENAME TO hl7_message");
    EXPECT_EQ(verdict(waiting.answer()), "AA|2");
    auto again = connect();
    again.send_message(order("1"));
    EXPECT_EQ(verdict(again.answer()), "AA|1");
    EXPECT_THAT(stored(), ElementsAre("2", "1"));
    EXPECT_EQ(count("hl7_quarantine"), 0);
}

TEST_F(FailureTest, ClosesWithoutAnAnswerWhenTheStoreHangs) {
    options.store_wait = 100ms;
    begin();
    Blockade blockade(database);
    auto client = connect();
    client.send_message(order("1"));
    blockade.wait_for(1);
    EXPECT_FALSE(client.answer().has_value());
    EXPECT_TRUE(client.ended());
    EXPECT_EQ(count("hl7_message"), 0);
    blockade.lift();
    auto again = connect();
    again.send_message(order("1"));
    EXPECT_EQ(verdict(again.answer()), "AA|1");
    EXPECT_THAT(stored(), ElementsAre("1"));
}

TEST_F(FailureTest, RefusesOneBadMessageAndStoresItsNeighbours) {
    database.exec(R"(
        CREATE FUNCTION gantry.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.control_id = 'bad' THEN
                RAISE EXCEPTION 'DOE^JOHN is refused' USING ERRCODE = '23514';
            END IF;
            RETURN NEW;
        END $$)");
    database.exec(
        "CREATE TRIGGER refuse BEFORE INSERT ON gantry.hl7_message FOR EACH ROW EXECUTE FUNCTION "
        "gantry.refuse()");
    const logging::Capture log;
    begin();
    Blockade blockade(database);
    auto first = connect();
    first.send_message(order("0"));
    blockade.wait_for(1);
    // These gather behind the first and come into one batch.
    auto client = connect();
    std::string bytes;
    for (const auto* id : {"1", "2", "3", "bad", "4", "5", "6"}) {
        bytes += hl7::encode_frame(order(id, "NTE|1||SECRET\r"));
    }
    client.send(bytes);
    blockade.lift();
    EXPECT_EQ(verdict(first.answer()), "AA|0");
    std::vector<std::string> verdicts;
    for (int i = 0; i < 7; ++i) {
        verdicts.push_back(verdict(client.answer()));
    }
    EXPECT_THAT(verdicts, ElementsAre("AA|1", "AA|2", "AA|3", "AE|bad", "AA|4", "AA|5", "AA|6"));
    EXPECT_THAT(stored(), ElementsAre("0", "1", "2", "3", "4", "5", "6"));
    EXPECT_EQ(count("hl7_quarantine WHERE reason = 'not_storable'"), 1);
    EXPECT_EQ(log.text().find("SECRET"), std::string::npos);
    EXPECT_EQ(log.text().find("DOE"), std::string::npos);
    EXPECT_EQ(log.text().find("4711"), std::string::npos);
}

TEST_F(FailureTest, HasStoredWhatItAnsweredWhenItStopsInABurst) {
    begin();
    auto all = senders(16);
    {
        std::vector<std::jthread> threads;
        for (auto& sender : all) {
            threads.emplace_back([&sender] { sender.send_until_closed(); });
        }
        EXPECT_TRUE(wait_until_counted("hl7_message", 200));
        end();
    }
    const auto answered = accepted(all);
    const auto kept = in_table();
    EXPECT_GE(answered.size(), 200U);
    EXPECT_TRUE(std::includes(kept.begin(), kept.end(), answered.begin(), answered.end()));
    // Each connection had one message under way, and each of these was answered before the end.
    EXPECT_EQ(kept, answered);
}

TEST_F(FailureTest, FinishesTheFrameBeingReadBeforeItStops) {
    begin();
    const auto address = listener->address();
    auto client = connect();
    client.send_message(order("1"));
    EXPECT_EQ(verdict(client.answer()), "AA|1");
    const auto frame = hl7::encode_frame(order("2"));
    auto other = connect();
    client.send(frame.substr(0, 20));
    // A round trip on another connection: the listener has seen the first bytes.
    other.send_message(order("3"));
    EXPECT_EQ(verdict(other.answer()), "AA|3");
    std::jthread stopper([this] { end(); });
    EXPECT_TRUE(other.ended());
    EXPECT_THROW(MllpClient{address}, std::runtime_error);
    client.send(frame.substr(20));
    EXPECT_EQ(verdict(client.answer()), "AA|2");
    EXPECT_TRUE(client.ended());
}

}  // namespace
}  // namespace gantry::mllp
