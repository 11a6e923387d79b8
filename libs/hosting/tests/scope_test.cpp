#include "gantry/hosting/scope.hpp"

#include "rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gantry::hosting {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class Noted final : public Unit {
public:
    explicit Noted(Diary& diary, Result<void> commit = {})
        : diary_(diary), commit_(std::move(commit)) {}
    Result<void> commit() override {
        diary_.add("commit");
        return commit_;
    }
    void rollback() noexcept override { diary_.add("rollback"); }

private:
    Diary& diary_;
    Result<void> commit_;
};

class OtherUnit final : public Unit {
public:
    Result<void> commit() override { return {}; }
    void rollback() noexcept override {}
};

class ScopeTest : public testing::Test {
protected:
    Result<std::unique_ptr<Noted>> make() {
        diary_.add("open");
        return std::make_unique<Noted>(diary_);
    }
    Result<Noted*> unit(Scope& scope) {
        return scope.unit<Noted>([this] { return make(); });
    }
    FakeClock clock_;
    Diary diary_;
};

TEST_F(ScopeTest, WithoutAUseNothingIsOpened) {
    Scope scope(clock_, {});
    EXPECT_TRUE(scope.commit());
    EXPECT_THAT(diary_.entries(), ElementsAre());
}

TEST_F(ScopeTest, TheUnitIsOpenedOnceAndRolledBackUnlessCommitted) {
    {
        Scope scope(clock_, {});
        EXPECT_EQ(*unit(scope), *unit(scope));
    }
    EXPECT_THAT(diary_.entries(), ElementsAre("open", "rollback"));
}

TEST_F(ScopeTest, ACommitIsTheEnd) {
    {
        Scope scope(clock_, {});
        ASSERT_TRUE(unit(scope));
        EXPECT_TRUE(scope.commit());
        EXPECT_TRUE(scope.commit());
        EXPECT_EQ(unit(scope).error().code, Code::failed_precondition);
    }
    EXPECT_THAT(diary_.entries(), ElementsAre("open", "commit"));
}

TEST_F(ScopeTest, AFailedCommitIsReportedAndNotRolledBackToo) {
    {
        Scope scope(clock_, {});
        ASSERT_TRUE(scope.unit<Noted>([this]() -> Result<std::unique_ptr<Noted>> {
            return std::make_unique<Noted>(diary_, fail(Code::aborted, "conflict"));
        }));
        EXPECT_EQ(scope.commit().error().code, Code::aborted);
    }
    EXPECT_THAT(diary_.entries(), ElementsAre("commit"));
}

TEST_F(ScopeTest, AUnitThatCannotBeOpenedMayBeTriedAgain) {
    Scope scope(clock_, {});
    const auto failed = scope.unit<Noted>([]() -> Result<std::unique_ptr<Noted>> {
        return fail(Code::unavailable, "no connection");
    });
    EXPECT_EQ(failed.error().code, Code::unavailable);
    EXPECT_TRUE(unit(scope));
}

TEST_F(ScopeTest, TwoTypesOfUnitAreRefused) {
    Scope scope(clock_, {});
    ASSERT_TRUE(unit(scope));
    const auto other = scope.unit<OtherUnit>(
        []() -> Result<std::unique_ptr<OtherUnit>> { return std::make_unique<OtherUnit>(); });
    EXPECT_EQ(other.error().code, Code::internal);
}

TEST_F(ScopeTest, ChecksItsDeadlineAndItsStop) {
    std::stop_source stop;
    const Scope scope(clock_, {.deadline = Deadline::after(1s, clock_), .stop = stop.get_token()});
    EXPECT_TRUE(scope.check());
    clock_.advance(1s);
    EXPECT_EQ(scope.check().error().code, Code::deadline_exceeded);
    stop.request_stop();
    EXPECT_EQ(scope.check().error().code, Code::cancelled);
}

TEST_F(ScopeTest, IsTheTraceOfItsThreadWhileItLives) {
    const auto incoming = tracing::start_trace();
    {
        const Scope scope(clock_, {.trace = incoming});
        EXPECT_EQ(tracing::current().trace_id, incoming.trace_id);
        EXPECT_EQ(tracing::current().span_id, scope.trace().span_id);
        EXPECT_NE(scope.trace().span_id, incoming.span_id);
    }
    EXPECT_FALSE(tracing::current().valid());
    const Scope scope(clock_, {});
    EXPECT_TRUE(scope.trace().valid());
}

}  // namespace
}  // namespace gantry::hosting
