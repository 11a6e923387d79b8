#include "committer.hpp"

#include "fake_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Error kAway{Code::unavailable, "the connection was lost", "DATABASE_UNAVAILABLE", {}};
const Error kUnknown{Code::unknown, "the connection was lost", "COMMIT_UNKNOWN", {}};

class CommitterTest : public ::testing::Test {
protected:
    // The fixture's committer, started with `options`.
    void begin() {
        committer.emplace(options, context, store, intake, metrics);
        committer->subscribe({.completed = [this](std::vector<Completion> done) { note(done); },
                              .store_changed =
                                  [this](bool up) {
                                      const std::lock_guard lock(mutex);
                                      changes.push_back(up);
                                  }});
        ASSERT_TRUE(committer->start({}).has_value());
    }

    void note(std::vector<Completion>& done) {
        const std::lock_guard lock(mutex);
        for (auto& completion : done) {
            completions.push_back(std::move(completion));
        }
        changed.notify_all();
    }

    NewMessage message(const std::string& control_id, const std::string& tail = {}) {
        hl7::FrameEvent event;
        event.bytes = "MSH|^~\\&|HIS|NORTH|||1||ADT^A01|" + control_id + "|P|2.5\rPID|" + tail;
        event.size = event.bytes.size();
        return *intake.read(std::move(event), "192.0.2.1:1").message;
    }

    // The control id is the sequence number, so that answers can be told apart.
    bool submit(std::uint64_t sequence, std::uint64_t connection = 1) {
        auto& gave_up = connections[connection];
        if (gave_up == nullptr) {
            gave_up = std::make_shared<std::atomic<bool>>(false);
        }
        return committer->submit(
            {connection, sequence, clock.steady_now(), message(std::to_string(sequence)), gave_up});
    }

    bool submit_quarantined(std::uint64_t sequence) {
        Quarantined item{
            .id = {}, .received_at = {}, .peer = {}, .reason = "cut", .size = 9, .bytes = "123"};
        return committer->submit({1, sequence, clock.steady_now(), std::move(item), nullptr});
    }

    // Waits for `count` completions and says what each of them answers, by sequence number.
    std::map<std::uint64_t, std::string> answers(std::size_t count) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return completions.size() >= count; });
        std::map<std::uint64_t, std::string> texts;
        for (const auto& completion : completions) {
            texts[completion.sequence] = text_of(completion);
        }
        return texts;
    }

    static std::string text_of(const Completion& completion) {
        if (!completion.answer) {
            return "-";
        }
        if (completion.answer->kind == Answer::Kind::close) {
            return "close";
        }
        const auto at = completion.answer->bytes.find("MSA|");
        return at == std::string::npos ? "none" : completion.answer->bytes.substr(at + 4, 2);
    }

    std::size_t completed() {
        const std::lock_guard lock(mutex);
        return completions.size();
    }

    FakeClock clock;
    metrics::Registry registry;
    health::Registry health{clock};
    health::Watchdog watchdog{clock, {}};
    hosting::Lifetime lifetime;
    hosting::Context context{"mllp-listener", "test", clock, registry, health, watchdog, lifetime};
    Options options;
    Intake intake{options, "gantry", clock};
    ListenerMetrics metrics{options, registry, clock};
    FakeStore store;
    std::map<std::uint64_t, std::shared_ptr<std::atomic<bool>>> connections;
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Completion> completions;
    std::vector<bool> changes;
    // Must stay last: its threads use everything above.
    std::optional<Committer> committer;
};

TEST_F(CommitterTest, CommitsAMessageAloneAtOnce) {
    begin();
    EXPECT_TRUE(submit(1));
    EXPECT_EQ(answers(1)[1], "AA");
    EXPECT_THAT(store.stored(), ElementsAre("1"));
}

TEST_F(CommitterTest, SharesACommitAmongWhatGatheredDuringTheLast) {
    begin();
    store.hold();
    submit(1, 1);
    store.wait_for_attempts(1);
    submit(2, 2);
    submit(3, 3);
    submit(4, 1);
    EXPECT_EQ(completed(), 0U);
    store.release();
    answers(4);
    EXPECT_THAT(store.attempts(), ElementsAre(ElementsAre("1"), ElementsAre("2", "3", "4")));
}

TEST_F(CommitterTest, PutsNoMoreThanItsLimitsIntoACommit) {
    options.batch_size = 3;
    options.batch_bytes = ByteSize{message("1").raw.size() * 2};
    begin();
    store.hold();
    submit(1);
    store.wait_for_attempts(1);
    for (std::uint64_t i = 2; i <= 5; ++i) {
        submit(i);
    }
    store.release();
    answers(5);
    EXPECT_THAT(store.attempts(), ElementsAre(ElementsAre("1"), ElementsAre("2", "3"),
                                              ElementsAre("4"), ElementsAre("5")));
}

TEST_F(CommitterTest, AnswersNothingBeforeTheCommit) {
    begin();
    store.hold();
    submit(1);
    store.wait_for_attempts(1);
    EXPECT_EQ(completed(), 0U);
    EXPECT_THAT(store.stored(), IsEmpty());
    store.release();
    EXPECT_EQ(answers(1)[1], "AA");
}

TEST_F(CommitterTest, GivesADuplicateTheFirstAnswer) {
    begin();
    submit(1, 1);
    answers(1);
    submit(1, 2);
    answers(2);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(completions[0].answer->bytes, completions[1].answer->bytes);
    EXPECT_EQ(metrics.duplicates.value(), 1);
}

TEST_F(CommitterTest, LetsOneBadMessageFailAlone) {
    store.refuse("5");
    begin();
    store.hold();
    submit(0);
    store.wait_for_attempts(1);
    for (std::uint64_t i = 1; i <= 8; ++i) {
        submit(i);
    }
    store.release();
    const auto texts = answers(9);
    for (std::uint64_t i = 0; i <= 8; ++i) {
        EXPECT_EQ(texts.at(i), i == 5 ? "AE" : "AA") << i;
    }
    EXPECT_THAT(store.stored(), ElementsAre("0", "1", "2", "3", "4", "6", "7", "8"));
    EXPECT_THAT(store.quarantined(), ElementsAre("not_storable"));
}

TEST_F(CommitterTest, TriesAgainWhileTheStoreIsAway) {
    begin();
    store.fail_with(kAway);
    submit(1);
    clock.wait_for_sleepers(1);
    EXPECT_FALSE(committer->store_up());
    EXPECT_EQ(completed(), 0U);
    store.fail_with(std::nullopt);
    clock.advance(2s);
    EXPECT_EQ(answers(1)[1], "AA");
    EXPECT_TRUE(committer->store_up());
    EXPECT_THAT(changes, ElementsAre(false, true));
}

TEST_F(CommitterTest, ClosesWithoutAnAnswerWhenTheStoreStaysAway) {
    options.store_wait = 10s;
    begin();
    store.fail_with(kAway);
    submit(1);
    submit(2);
    clock.wait_for_sleepers(1);
    clock.advance(9s);
    store.wait_for_attempts(2);
    clock.wait_for_sleepers(1);
    EXPECT_EQ(completed(), 0U);
    clock.advance(2s);
    const auto texts = answers(2);
    EXPECT_EQ(texts.at(1), "close");
    EXPECT_EQ(texts.at(2), "close");
    EXPECT_THAT(store.stored(), IsEmpty());
}

TEST_F(CommitterTest, ClosesWithoutAnAnswerWhenACommitsOutcomeIsUnknown) {
    begin();
    store.fail_with(kUnknown);
    submit(1);
    EXPECT_EQ(answers(1)[1], "close");
    EXPECT_EQ(store.attempts().size(), 1U);
    // Sent again it is asked for anew.
    store.fail_with(std::nullopt);
    submit(1, 2);
    EXPECT_EQ(answers(2)[1], "AA");
}

TEST_F(CommitterTest, StoresNothingBehindAMessageThatGotNoAnswer) {
    begin();
    store.hold();
    submit(1, 7);
    store.wait_for_attempts(1);
    submit(2, 7);
    submit(3, 8);
    store.fail_next(kUnknown);
    store.release();
    // Sent again, 1 would come behind 2.
    const auto texts = answers(3);
    EXPECT_EQ(texts.at(1), "close");
    EXPECT_EQ(texts.at(2), "close");
    EXPECT_EQ(texts.at(3), "AA");
    EXPECT_THAT(store.stored(), ElementsAre("3"));
}

TEST_F(CommitterTest, DoesNotBlameMessagesForAStoreThatTakesNone) {
    begin();
    store.fail_with(Error{Code::permission_denied, "permission denied", "42501", {}});
    submit(1);
    clock.wait_for_sleepers(1);
    EXPECT_EQ(completed(), 0U);
    EXPECT_FALSE(committer->store_up());
    store.fail_with(std::nullopt);
    clock.advance(2s);
    EXPECT_EQ(answers(1)[1], "AA");
    EXPECT_THAT(store.quarantined(), IsEmpty());
}

TEST_F(CommitterTest, CommitsWhatWaitsBeforeItStops) {
    begin();
    store.hold();
    submit(1);
    store.wait_for_attempts(1);
    submit(2);
    submit(3);
    std::jthread stopper(
        [&] { EXPECT_TRUE(committer->stop(Deadline::after(30s, clock)).has_value()); });
    // The queue is closed before the committer's own wait begins.
    clock.wait_for_sleepers(1);
    EXPECT_FALSE(submit(4));
    store.release();
    stopper.join();
    const auto texts = answers(3);
    EXPECT_EQ(texts.at(1), "AA");
    EXPECT_EQ(texts.at(2), "AA");
    EXPECT_EQ(texts.at(3), "AA");
    EXPECT_EQ(completed(), 3U);
}

TEST_F(CommitterTest, GivesUpAtTheLimitOfItsStop) {
    options.store_wait = 10min;
    begin();
    store.fail_with(kAway);
    submit(1);
    clock.wait_for_sleepers(1);
    std::jthread stopper(
        [&] { EXPECT_TRUE(committer->stop(Deadline::after(30s, clock)).has_value()); });
    clock.wait_for_sleepers(2);
    clock.advance(30s);
    stopper.join();
    EXPECT_EQ(answers(1)[1], "close");
}

TEST_F(CommitterTest, KeepsWhatIsNoMessageWithoutAnswering) {
    begin();
    submit_quarantined(1);
    submit(2);
    const auto texts = answers(2);
    EXPECT_EQ(texts.at(1), "-");
    EXPECT_EQ(texts.at(2), "AA");
    EXPECT_THAT(store.quarantined(), ElementsAre("cut"));
}

TEST_F(CommitterTest, CountsQuarantineThatIsLost) {
    begin();
    store.fail_with(kAway);
    submit_quarantined(1);
    EXPECT_EQ(answers(1)[1], "-");
    EXPECT_EQ(metrics.quarantine_lost.value(), 1);
}

TEST_F(CommitterTest, StopsTheProcessOnAnExceptionWithoutItsText) {
    begin();
    store.throw_always();
    submit(1);
    EXPECT_TRUE(committer->stop(Deadline::after(30s, clock)).has_value());
    ASSERT_EQ(lifetime.faults().size(), 1U);
    EXPECT_EQ(lifetime.faults().front().second.message.find("DOE"), std::string::npos);
    EXPECT_EQ(completed(), 0U);
}

TEST_F(CommitterTest, HasRoomUntilItsQueueIsFull) {
    options.queue_capacity = 2;
    begin();
    store.hold();
    submit(1);
    store.wait_for_attempts(1);
    submit(2);
    EXPECT_TRUE(committer->has_room(1));
    submit(3);
    EXPECT_FALSE(committer->has_room(1));
    store.release();
    answers(3);
    EXPECT_TRUE(committer->has_room(1));
}

}  // namespace
}  // namespace gantry::mllp
