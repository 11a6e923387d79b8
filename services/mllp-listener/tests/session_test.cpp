#include "session.hpp"

#include <gtest/gtest.h>

namespace gantry::mllp {
namespace {

using namespace std::chrono_literals;

class SessionTest : public testing::Test {
protected:
    static std::string framed(std::string_view text) {
        return hl7::encode_frame("MSH|^~\\&|" + std::string(text));
    }
    std::uint64_t arrive() {
        const auto arrival = session.next(now);
        EXPECT_TRUE(arrival.has_value());
        return arrival ? arrival->sequence : 0;
    }
    void answer(std::uint64_t sequence, const std::string& text) {
        session.answer(sequence, {Answer::Kind::bytes, text}, now);
    }

    Session::Limits limits;
    SteadyTime now{1h};
    Session session{limits, now};
};

TEST_F(SessionTest, AnswersInTheOrderOfArrival) {
    session.received(framed("1") + framed("2") + framed("3"), now);
    const auto first = arrive();
    const auto second = arrive();
    const auto third = arrive();
    answer(third, "c");
    answer(second, "b");
    EXPECT_EQ(session.take_output(), "");
    answer(first, "a");
    EXPECT_EQ(session.take_output(),
              hl7::encode_frame("a") + hl7::encode_frame("b") + hl7::encode_frame("c"));
}

TEST_F(SessionTest, ClosesBehindTheAnswersBeforeAnUnanswered) {
    session.received(framed("1") + framed("2") + framed("3"), now);
    const auto first = arrive();
    const auto second = arrive();
    const auto third = arrive();
    answer(third, "c");
    session.answer(second, {Answer::Kind::close, {}}, now);
    EXPECT_FALSE(session.done());
    answer(first, "a");
    EXPECT_EQ(session.take_output(), hl7::encode_frame("a"));
    EXPECT_FALSE(session.done());
    session.sent(now);
    EXPECT_TRUE(session.done());
}

TEST_F(SessionTest, CutsASilentFrameAndEndsWithoutAnAnswer) {
    session.received(framed("whole").substr(0, 9), now);
    now += 29s;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::none);
    now += 1s;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::read);
    const auto arrival = session.next(now);
    ASSERT_TRUE(arrival.has_value());
    EXPECT_EQ(arrival->event.fault, hl7::FrameFault::cut);
    session.answer(arrival->sequence, {}, now);
    EXPECT_EQ(session.take_output(), "");
    EXPECT_TRUE(session.done());
}

TEST_F(SessionTest, CutsAFrameThatTricklesInForTooLong) {
    session.received(framed("slow").substr(0, 4), now);
    auto expiry = Session::Expiry::none;
    for (int i = 0; i < 12; ++i) {
        now += 10s;
        expiry = session.tick(now, false);
        session.received("x", now);
    }
    EXPECT_EQ(expiry, Session::Expiry::read);
}

TEST_F(SessionTest, DoesNotBlameThePeerForOurOwnPause) {
    session.received(framed("held").substr(0, 9), now);
    now += 60s;
    EXPECT_EQ(session.tick(now, true), Session::Expiry::none);
    now += 1s;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::none);
}

TEST_F(SessionTest, EndsAnIdleConnectionThoughJunkComes) {
    now += 9min;
    session.received("junk", now);
    EXPECT_EQ(session.tick(now, false), Session::Expiry::none);
    now += 1min;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::idle);
    EXPECT_TRUE(session.done());
}

TEST_F(SessionTest, ReadsNoFurtherWithTooManyInFlight) {
    limits.max_in_flight = 2;
    session.received(framed("1") + framed("2") + framed("3"), now);
    const auto first = arrive();
    arrive();
    EXPECT_FALSE(session.has_next());
    EXPECT_FALSE(session.wants_bytes());
    answer(first, "a");
    EXPECT_TRUE(session.has_next());
}

TEST_F(SessionTest, FinishesTheFrameBeingReadWhenItDrains) {
    const auto frame = framed("last");
    session.received(frame.substr(0, 9), now);
    session.drain();
    EXPECT_TRUE(session.wants_bytes());
    session.received(frame.substr(9) + framed("next").substr(0, 5), now);
    EXPECT_FALSE(session.wants_bytes());
    answer(arrive(), "a");
    EXPECT_EQ(session.take_output(), hl7::encode_frame("a"));
    session.sent(now);
    EXPECT_TRUE(session.done());
}

TEST_F(SessionTest, AnswersAPeerThatClosedItsSide) {
    session.received(framed("1"), now);
    session.peer_closed(now);
    EXPECT_FALSE(session.done());
    answer(arrive(), "a");
    EXPECT_EQ(session.take_output(), hl7::encode_frame("a"));
}

TEST_F(SessionTest, EndsBehindTheAnswersItHasWhenOneDoesNotCome) {
    session.received(framed("1") + framed("2") + framed("3"), now);
    const auto first = arrive();
    now += 6s;
    const auto second = arrive();
    arrive();
    answer(first, "a");
    now += 11s;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::none);
    now += 1s;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::answer);
    answer(second, "too late");
    EXPECT_EQ(session.take_output(), hl7::encode_frame("a"));
    session.sent(now);
    EXPECT_TRUE(session.done());
}

TEST_F(SessionTest, GivesUpOnAPeerThatTakesNoAnswers) {
    session.received(framed("1"), now);
    answer(arrive(), "a");
    session.take_output();
    now += 30s;
    EXPECT_EQ(session.tick(now, false), Session::Expiry::write);
}

}  // namespace
}  // namespace gantry::mllp
